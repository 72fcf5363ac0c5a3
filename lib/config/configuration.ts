import { isDeepStrictEqual } from 'node:util'
import { checkAdminOptions } from './schema/admin-schema.js'
import { checkBackendOptions } from './backend/backend-options.js'
import { checkOptions } from './schema/check.js'
import { readConfigText, type ConfigFile } from './file/config-file.js'
import { configFileOf, readEnvironment, type Environment } from './environment/environment.js'
import { readText } from './file/read-text.js'
import { type Layer } from './layers/layer.js'
import { textOfPath } from './schema/option-path.js'
import { layOptions, located, registerLayer, type Layered } from './layers/merge.js'
import { checkLogOptions } from './schema/log-schema.js'
import { checkMetricsOptions } from './schema/metrics-schema.js'
import { ReloadOptionsSchema } from './schema/options-schema.js'
import { RateLimitOptionsSchema, type RateLimitOptions } from './schema/options-schema.js'
import { FST_SLUICE_FIXED_OPTION, FST_SLUICE_UNREADABLE_FILE } from '../errors.js'

/** What is built once: a connection, the names of keys, mounted routes, whose word for a user counts. */
const FIXED = [
  'name', 'redis', 'store', 'keyPrefix', 'memory', 'ipv6Subnet', 'deadline', 'breaker', 'connections', 'maxPending', 'identify', 'health', 'metrics', 'admin', 'log', 'configFile', 'reloadOnSignal'
] as const satisfies ReadonlyArray<keyof RateLimitOptions>

/** The layers of one registration's options, and what they come to. */
export class Configuration {
  /** The config file; `null` where there is none. */
  readonly file: string | null
  /** What was in it when it was read last. */
  text: string | null = null
  readonly #register: Layer
  readonly #env: Environment
  /** What an operator said while the process ran, over all other layers; `null` where he said nothing else than they. */
  #operator: Layer | null = null

  /**
   * `options`: what `register` was given. `env`: the variables that may speak to this registration.
   * Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_UNKNOWN_OPTION.
   */
  constructor (options: unknown, env: Environment) {
    checkOptions(RateLimitOptionsSchema, options, 'rateLimit')
    this.#register = registerLayer(options)
    this.#env = env
    this.file = configFileOf(env) ?? options.configFile ?? null
  }

  /** All layers, the file as it is now. Throws the first mistake; its `mistakes` are all of them where there are more. */
  load (): Layered {
    return this.#merge(this.file === null ? null : this.#read(this.file))
  }

  /** All layers, with options in the place of the file's. Throws like `load`, and what wrong options throw. */
  loadWith (options: unknown): Layered {
    checkOptions(ReloadOptionsSchema, options, 'reload')
    return this.#merge({ name: 'file', options, placeOf: (path) => textOfPath('reload', path) })
  }

  /**
   * The layers that are in force, nothing of them read anew, with limits switched on or off over what they say. It holds
   * in every load that follows, until they are switched back to what the other layers say.
   */
  switchedTo (enabled: boolean, { layers }: Layered): Layered {
    const settings = layers.filter((layer) => !isOperator(layer))
    const layered = layOptions(settings)
    this.#operator = isEnabledIn(layered) === enabled ? null : { name: 'operator', options: { enabled }, placeOf: () => 'an operator, at run time' }
    return this.#operator === null ? layered : layOptions([...settings, this.#operator])
  }

  #read (file: string): Layer {
    const text = readText(file)
    // A writer that empties the file first and fills it later must not drop every limit in between.
    if (text.trim() === '' && this.text !== null && this.text.trim() !== '') {
      throw new FST_SLUICE_UNREADABLE_FILE(file, 'is empty; if nothing is to be in it, leave a comment')
    }
    const layer = layerOf(readConfigText(text, file))
    this.text = text
    return layer
  }

  #merge (file: Layer | null): Layered {
    const lower = file === null ? [this.#register] : [this.#register, file]
    const { layer, mistakes: [first, ...others] } = readEnvironment(this.#env, layOptions(lower).options)
    if (first !== undefined) throw asOne(first, others)
    const layered = layOptions([...lower, layer, ...this.#operator === null ? [] : [this.#operator]])
    try {
      checkBackendOptions(layered.options)
      checkLogOptions(layered.options, 'rateLimit')
      checkMetricsOptions(layered.options, 'rateLimit')
      checkAdminOptions(layered.options, 'rateLimit')
    } catch (error) {
      throw located(error, layered)
    }
    return layered
  }
}

/** Throws FST_SLUICE_FIXED_OPTION for the first option that cannot be exchanged, and is another in the new options. */
export function refuseFixed (before: Layered, after: Layered): void {
  // Of two stores nobody can tell whether they are the same but by what they are.
  const changed = FIXED.find((option) => option === 'store' ? before.options.store !== after.options.store : !isDeepStrictEqual(before.options[option], after.options[option]))
  if (changed !== undefined) throw new FST_SLUICE_FIXED_OPTION(after.placeOf([changed]))
}

/** Whether limits would be in force without the word of an operator. */
export function isEnabledBySettings ({ layers }: Layered): boolean {
  return isEnabledIn(layOptions(layers.filter((layer) => !isOperator(layer))))
}

function isEnabledIn ({ options: { enabled = true } }: Layered): boolean {
  return enabled
}

function isOperator ({ name }: Layer): boolean {
  return name === 'operator'
}

function layerOf (file: ConfigFile): Layer {
  if ('layer' in file) return file.layer
  const [first, ...others] = file.mistakes
  throw asOne(first, others)
}

/** Whoever mends one wants to see them all. */
function asOne (first: Error, others: readonly Error[]): Error {
  return others.length === 0 ? first : Object.assign(first, { mistakes: [first, ...others].map(({ message }) => message) })
}
