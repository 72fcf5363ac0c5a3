import { readConfigFile } from '../config/file/config-file.js'
import { readEnvironment, type Environment } from '../config/environment/environment.js'
import type { Layer } from '../config/layers/layer.js'
import { mergeLayers, registerLayer, type MergedOptions } from '../config/layers/merge.js'

/** What a file says, with the environment over it if that is asked for. */
export interface Sources {
  /** The options as they would be if the code said nothing but the `match` of the rules that it must have made. */
  readonly merged: MergedOptions
  /** Names of the rules without a `match`. */
  readonly madeInCode: ReadonlySet<string>
  /** The rules alone, without what they take from the default policy: all that is known of one that the code has made. */
  readonly rulesAlone: MergedOptions
}

/** Read the sources; where one of them is wrong by itself, all that is wrong with it. `environment`: `null` leaves it out. */
export function readSources (file: string, environment: Environment | null): Sources | readonly Error[] {
  const read = readConfigFile(file)
  if ('mistakes' in read) return read.mistakes
  try {
    if (environment === null) return mergeSources([read.layer])
    const { layer, mistakes } = readEnvironment(environment, mergeSources([read.layer]).merged.options)
    return mistakes.length > 0 ? mistakes : mergeSources([read.layer, layer])
  } catch (error) {
    // What one layer cannot say over another.
    if (error instanceof Error && 'code' in error) return [error]
    throw error
  }
}

function mergeSources (layers: readonly Layer[]): Sources {
  const madeInCode = findRulesWithoutMatch(layers)
  const code = registerLayer({ rules: Array.from(madeInCode, (name) => ({ name, match: '/' })) })
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
