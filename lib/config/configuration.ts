import { isDeepStrictEqual } from 'node:util'
import { checkAdminOptions } from './schema/admin-schema.js'
import { checkBackendOptions } from './backend/backend-options.js'
import { checkOptions } from './schema/check.js'
import type { ConfigFile, readConfigText } from './file/config-file.js'
import { getConfigFile, readEnvironment, type Environment } from './environment/environment.js'
import { readText } from './file/read-text.js'
import { type Layer } from './layers/layer.js'
import { withoutCredentials } from './backend/redis-credentials.js'
import { formatPath } from './schema/option-path.js'
import { mergeLayers, relocateError, registerLayer, type MergedOptions } from './layers/merge.js'
import { checkLogOptions } from './schema/log-schema.js'
import { checkMetricsOptions } from './schema/metrics-schema.js'
import { checkRecordOptions } from './schema/record-schema.js'
import { RateLimitOptionsSchema, ReloadOptionsSchema, type RateLimitOptions } from './schema/options-schema.js'
import { FST_SLUICE_FIXED_OPTION, FST_SLUICE_UNREADABLE_FILE } from '../errors.js'

/** Options of what is built once: connections, key names, mounted routes, the source of user identities. */
const FIXED_OPTIONS = [
  'name', 'redis', 'store', 'clock', 'keyPrefix', 'memory', 'ipv6Subnet', 'deadline', 'breaker', 'connections', 'maxPending',
  'identify', 'health', 'metrics', 'admin', 'log', 'record', 'configFile', 'environment', 'reloadOnSignal'
] as const satisfies ReadonlyArray<keyof RateLimitOptions>

/** The layers of one registration's options, and their merged result. */
export class Configuration {
  /** Path of the config file; `null` without one. */
  readonly file: string | null
  /** Its content when it was last read. */
  text: string | null = null
  readonly #register: Layer
  readonly #env: Environment
  readonly #prefix: string | undefined
  /** `null` without a config file: only an application that has one loads the parser. */
  #parse: typeof readConfigText | null = null
  /** The switch of an operator, on top of all other layers; `null` while it equals their value. */
  #operator: Layer | null = null

  /**
   * `options`: the options given to `register`. `env`: the variables that apply to this registration.
   * Rejects with FST_SLUICE_BAD_OPTION and FST_SLUICE_UNKNOWN_OPTION.
   */
  static async create (options: unknown, env: Environment): Promise<Configuration> {
    const configuration = new Configuration(options, env)
    if (configuration.file !== null) configuration.#parse = (await import('./file/config-file.js')).readConfigText
    return configuration
  }

  private constructor (options: unknown, env: Environment) {
    checkOptions(RateLimitOptionsSchema, options, 'rateLimit')
    this.#register = registerLayer(options)
    this.#env = options.environment === false ? {} : env
    this.#prefix = options.environment === false ? undefined : options.environment
    this.file = getConfigFile(this.#env, this.#prefix) ?? options.configFile ?? null
  }

  /** Merge all layers, with the current file. Throws the first error; if there are several, its `mistakes` lists all messages. */
  load (): MergedOptions {
    return this.#merge(this.file === null || this.#parse === null ? null : this.#read(this.file, this.#parse))
  }

  /** Merge all layers, with `options` in place of the file. Throws like `load`, and for invalid `options`. */
  loadWith (options: unknown): MergedOptions {
    checkOptions(ReloadOptionsSchema, options, 'reload')
    return this.#merge({ name: 'file', options, locate: (path) => formatPath('reload', path) })
  }

  /**
   * Merge the current layers, without reading them again, with limits switched on or off on top of them. The switch
   * stays in every later load, until it is set back to the value of the other layers.
   */
  withEnabled (enabled: boolean, { layers }: MergedOptions): MergedOptions {
    const settings = layers.filter((layer) => !isOperator(layer))
    const merged = mergeLayers(settings)
    this.#operator = merged.resolved.enabled === enabled
      ? null
      : { name: 'operator', options: { enabled }, locate: () => 'an operator, at run time' }
    return this.#operator === null ? merged : mergeLayers([...settings, this.#operator])
  }

  #read (file: string, parse: typeof readConfigText): Layer {
    const text = readText(file)
    // Some writers empty the file first and fill it later. The limits must not be dropped in between.
    if (text.trim() === '' && this.text !== null && this.text.trim() !== '') {
      throw new FST_SLUICE_UNREADABLE_FILE(file, 'is empty; if this is intended, put a comment in it')
    }
    const layer = requireLayer(parse(text, file))
    this.text = text
    return layer
  }

  #merge (file: Layer | null): MergedOptions {
    const lower = file === null ? [this.#register] : [this.#register, file]
    const { layer, mistakes: [first, ...others] } = readEnvironment(this.#env, mergeLayers(lower).options, this.#prefix)
    if (first !== undefined) throw combineErrors(first, others)
    const merged = mergeLayers([...lower, layer, ...this.#operator === null ? [] : [this.#operator]])
    try {
      checkBackendOptions(merged.options)
      checkLogOptions(merged.options, 'rateLimit')
      checkRecordOptions(merged.options, 'rateLimit')
      checkMetricsOptions(merged.options, 'rateLimit')
      checkAdminOptions(merged.options, 'rateLimit')
    } catch (error) {
      throw relocateError(error, merged)
    }
    return merged
  }
}

/** Throws FST_SLUICE_FIXED_OPTION for the first changed option that a reload cannot change. Of `redis`, it may change the credentials. */
export function rejectFixedChanges (before: MergedOptions, after: MergedOptions): void {
  const changed = FIXED_OPTIONS.find((option) => {
    if (option === 'redis') return !isDeepStrictEqual(withoutCredentials(before.options.redis), withoutCredentials(after.options.redis))
    const [old, current] = [before.options[option], after.options[option]]
    // Compared by identity: two different stores may have equal fields, and so may two clocks.
    return option === 'store' || option === 'clock' ? old !== current : !isDeepStrictEqual(old, current)
  })
  if (changed !== undefined) throw new FST_SLUICE_FIXED_OPTION(after.locate([changed]))
}

/** Whether limits would be enabled without the switch of an operator. */
export function isEnabledBySettings ({ layers }: MergedOptions): boolean {
  return mergeLayers(layers.filter((layer) => !isOperator(layer))).resolved.enabled
}

function isOperator ({ name }: Layer): boolean {
  return name === 'operator'
}

function requireLayer (file: ConfigFile): Layer {
  if ('layer' in file) return file.layer
  const [first, ...others] = file.mistakes
  throw combineErrors(first, others)
}

/** Report all errors at once, so that they can be fixed in one pass. */
function combineErrors (first: Error, others: readonly Error[]): Error {
  return others.length === 0 ? first : Object.assign(first, { mistakes: [first, ...others].map(({ message }) => message) })
}
