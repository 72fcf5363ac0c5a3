import { readConfigFile } from '../config/file/config-file.js'
import { readEnvironment, type Environment } from '../config/environment/environment.js'
import type { Layer } from '../config/layers/layer.js'
import { layOptions, registerLayer, type Layered } from '../config/layers/merge.js'

/** What a file says, with the environment over it if that is asked for. */
export interface Sources {
  /** The options as they would be if the code said nothing but the `match` of the rules that it must have made. */
  readonly layered: Layered
  /** Names of the rules without a `match`. */
  readonly madeInCode: ReadonlySet<string>
  /** The rules alone, without what they take from the default policy: all that is known of one that the code has made. */
  readonly rulesAlone: Layered
}

/** Read the sources; where one of them is wrong by itself, all that is wrong with it. `environment`: `null` leaves it out. */
export function readSources (file: string, environment: Environment | null): Sources | readonly Error[] {
  const read = readConfigFile(file)
  if ('mistakes' in read) return read.mistakes
  try {
    if (environment === null) return sourcesOf([read.layer])
    const { layer, mistakes } = readEnvironment(environment, sourcesOf([read.layer]).layered.options)
    return mistakes.length > 0 ? mistakes : sourcesOf([read.layer, layer])
  } catch (error) {
    // What one layer cannot say over another.
    if (error instanceof Error && 'code' in error) return [error]
    throw error
  }
}

function sourcesOf (layers: readonly Layer[]): Sources {
  const madeInCode = withoutMatch(layers)
  const code = registerLayer({ rules: Array.from(madeInCode, (name) => ({ name, match: '/' })) })
  return {
    layered: layOptions([code, ...layers]),
    madeInCode,
    rulesAlone: layOptions([code, ...layers.map(({ options: { rules = [] }, ...layer }) => ({ ...layer, options: { rules } }))])
  }
}

function withoutMatch (layers: readonly Layer[]): ReadonlySet<string> {
  const rules = layers.flatMap(({ options }) => options.rules ?? [])
  const made = new Set(rules.filter(({ match }) => match !== undefined).map(({ name }) => name))
  return new Set(rules.map(({ name }) => name).filter((name) => !made.has(name)))
}
