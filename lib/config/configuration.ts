import { isDeepStrictEqual } from 'node:util'
import { checkAdminOptions } from './schema/admin-schema.js'
import { checkBackendOptions } from './backend/backend-options.js'
import { checkOptions } from './schema/check.js'
import { readConfigText, type ConfigFile } from './file/config-file.js'
import { getConfigFile, readEnvironment, type Environment } from './environment/environment.js'
import { readText } from './file/read-text.js'
import { type Layer } from './layers/layer.js'
import { formatPath } from './schema/option-path.js'
import { mergeLayers, relocateError, registerLayer, type MergedOptions } from './layers/merge.js'
import { checkLogOptions } from './schema/log-schema.js'
import { checkMetricsOptions } from './schema/metrics-schema.js'
import { ReloadOptionsSchema } from './schema/options-schema.js'
import { RateLimitOptionsSchema, type RateLimitOptions } from './schema/options-schema.js'
import { FST_SLUICE_FIXED_OPTION, FST_SLUICE_UNREADABLE_FILE } from '../errors.js'

/** What is built once: a connection, the names of keys, mounted routes, whose word for a user counts. */
const FIXED_OPTIONS = [
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
    this.file = getConfigFile(env) ?? options.configFile ?? null
  }

  /** All layers, the file as it is now. Throws the first mistake; its `mistakes` are all of them where there are more. */
  load (): MergedOptions {
    return this.#merge(this.file === null ? null : this.#read(this.file))
  }

  /** All layers, with options in the place of the file's. Throws like `load`, and what wrong options throw. */
  loadWith (options: unknown): MergedOptions {
    checkOptions(ReloadOptionsSchema, options, 'reload')
    return this.#merge({ name: 'file', options, locate: (path) => formatPath('reload', path) })
  }

  /**
   * The layers that are in force, nothing of them read anew, with limits switched on or off over what they say. It holds
   * in every load that follows, until they are switched back to what the other layers say.
   */
  withEnabled (enabled: boolean, { layers }: MergedOptions): MergedOptions {
    const settings = layers.filter((layer) => !isOperator(layer))
    const merged = mergeLayers(settings)
    this.#operator = isEnabledIn(merged) === enabled ? null : { name: 'operator', options: { enabled }, locate: () => 'an operator, at run time' }
    return this.#operator === null ? merged : mergeLayers([...settings, this.#operator])
  }

  #read (file: string): Layer {
    const text = readText(file)
    // A writer that empties the file first and fills it later must not drop every limit in between.
    if (text.trim() === '' && this.text !== null && this.text.trim() !== '') {
      throw new FST_SLUICE_UNREADABLE_FILE(file, 'is empty; if nothing is to be in it, leave a comment')
    }
    const layer = requireLayer(readConfigText(text, file))
    this.text = text
    return layer
  }

  #merge (file: Layer | null): MergedOptions {
    const lower = file === null ? [this.#register] : [this.#register, file]
    const { layer, mistakes: [first, ...others] } = readEnvironment(this.#env, mergeLayers(lower).options)
    if (first !== undefined) throw combineErrors(first, others)
    const merged = mergeLayers([...lower, layer, ...this.#operator === null ? [] : [this.#operator]])
    try {
      checkBackendOptions(merged.options)
      checkLogOptions(merged.options, 'rateLimit')
      checkMetricsOptions(merged.options, 'rateLimit')
      checkAdminOptions(merged.options, 'rateLimit')
    } catch (error) {
      throw relocateError(error, merged)
    }
    return merged
  }
}

/** Throws FST_SLUICE_FIXED_OPTION for the first option that cannot be exchanged, and is another in the new options. */
export function rejectFixedChanges (before: MergedOptions, after: MergedOptions): void {
  // Of two stores nobody can tell whether they are the same but by what they are.
  const changed = FIXED_OPTIONS.find((option) => option === 'store' ? before.options.store !== after.options.store : !isDeepStrictEqual(before.options[option], after.options[option]))
  if (changed !== undefined) throw new FST_SLUICE_FIXED_OPTION(after.locate([changed]))
}

/** Whether limits would be in force without the word of an operator. */
export function isEnabledBySettings ({ layers }: MergedOptions): boolean {
  return isEnabledIn(mergeLayers(layers.filter((layer) => !isOperator(layer))))
}

function isEnabledIn ({ options: { enabled = true } }: MergedOptions): boolean {
  return enabled
}

function isOperator ({ name }: Layer): boolean {
  return name === 'operator'
}

function requireLayer (file: ConfigFile): Layer {
  if ('layer' in file) return file.layer
  const [first, ...others] = file.mistakes
  throw combineErrors(first, others)
}

/** Whoever mends one wants to see them all. */
function combineErrors (first: Error, others: readonly Error[]): Error {
  return others.length === 0 ? first : Object.assign(first, { mistakes: [first, ...others].map(({ message }) => message) })
}
