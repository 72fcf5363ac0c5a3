import { readConfigFile } from '../../config/file/config-file.js'
import { readEnvironment, type Environment } from '../../config/environment/environment.js'
import type { Layer } from '../../config/layers/layer.js'
import type { RateLimitOptions } from '../../config/schema/options-schema.js'
import { mergeLayers, registerLayer, type MergedOptions } from '../../config/layers/merge.js'

/** The options of a file and, if included, of the environment. */
export interface Sources {
  /** The merged options, as if the code only defined the rules that have no `match` here. */
  readonly merged: MergedOptions
  /** Names of the rules without a `match`. */
  readonly madeInCode: ReadonlySet<string>
  /** The rules without the options that they inherit from the default policy: all that is known of a rule of the code. */
  readonly rulesAlone: MergedOptions
}

/**
 * Read the sources, or return all errors of the first invalid source. `file`: `null` for none. `environment`: `null` ignores
 * it. `code`: options of the lowest layer.
 */
export function readSources (
  file: string | null, environment: Environment | null, code: RateLimitOptions = {}
): Sources | readonly Error[] {
  const read = file === null ? null : readConfigFile(file)
  if (read !== null && 'mistakes' in read) return read.mistakes
  const layers = read === null ? [] : [read.layer]
  try {
    if (environment === null) return mergeSources(layers, code)
    const { layer, mistakes } = readEnvironment(environment, mergeSources(layers, code).merged.options)
    return mistakes.length > 0 ? mistakes : mergeSources([...layers, layer], code)
  } catch (error) {
    // A contradiction between two layers.
    if (error instanceof Error && 'code' in error) return [error]
    throw error
  }
}

function mergeSources (layers: readonly Layer[], options: RateLimitOptions): Sources {
  const madeInCode = findRulesWithoutMatch(layers)
  const code = registerLayer({ ...options, rules: Array.from(madeInCode, (name) => ({ name, match: '/' })) })
  return {
    merged: mergeLayers([code, ...layers]),
    madeInCode,
    rulesAlone: mergeLayers([code, ...layers.map(({ options: { rules = [] }, ...layer }) => ({ ...layer, options: { rules } }))])
  }
}

function findRulesWithoutMatch (layers: readonly Layer[]): ReadonlySet<string> {
  const rules = layers.flatMap(({ options }) => options.rules ?? [])
  const namesWithMatch = new Set(rules.filter(({ match }) => match !== undefined).map(({ name }) => name))
  return new Set(rules.map(({ name }) => name).filter((name) => !namesWithMatch.has(name)))
}
