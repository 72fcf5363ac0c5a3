import type { FastifyRequest } from 'fastify'
import { badOption, checkOptions } from '../config/schema/check.js'
import { DURATION_EXPECTED, unboundedDurationMs } from '../config/schema/durations.js'
import { MAX_UNITS } from '../config/schema/policy-schema.js'
import { createAllowList, IPV6_SUBNET, type AllowList } from './client-key.js'
import type { FastifyRateLimitStoreCtor } from './custom-store.js'
import { DEFAULT_MAX, DEFAULT_WINDOW_MS, MAX_WINDOW_MS } from './function-results.js'
import { selectHeaders, type CompatHeaders } from './headers.js'
import { OptionsSchema, StoreOptionsSchema, type RateLimitHook, type RateLimitOptions, type RateLimitPluginOptions } from './options.js'

/** Of a penalty. */
const MAX_STRIKES = 1_000_000

/** 100 days. The times of a penalty with longer windows cannot be counted exactly. */
const MAX_BAN_WINDOW_MS = 100 * 86_400_000

type PerRequest<T> = (request: FastifyRequest, key: string) => T | Promise<T>

/** The settings of one limiter: validated options, with all defaults, in the plugin's units. */
export interface LimiterSettings {
  readonly max: number | PerRequest<number>
  readonly windowMs: number | PerRequest<number>
  readonly hook: RateLimitHook
  readonly allowList: AllowList
  /** `null`: the key is the address, for IPv6 its first `ipv6Subnet` bits. */
  readonly keyGenerator: RateLimitOptions['keyGenerator'] | null
  readonly ipv6Subnet: number
  /** Refusals before a client is banned; `null` without bans. */
  readonly ban: number | null
  /** `null` if not set: without the store, limits then hold in this process's memory. */
  readonly skipOnError: boolean | null
  readonly continueExceeding: boolean
  readonly exponentialBackoff: boolean
  readonly groupId: string | null
  readonly store: FastifyRateLimitStoreCtor | null
  readonly headers: CompatHeaders
  readonly onExceeding: RateLimitOptions['onExceeding']
  readonly onExceeded: RateLimitOptions['onExceeded']
  readonly onBanReach: RateLimitOptions['onBanReach']
  readonly errorResponseBuilder: RateLimitOptions['errorResponseBuilder']
  /** The original options, for a custom store. */
  readonly rawOptions: Inherited & RateLimitOptions
  /** The options' path, for messages. */
  readonly place: string
}

/** Settings with fixed numbers that the plugin's own limits can have. */
export interface StaticSettings extends LimiterSettings {
  readonly max: number
  readonly windowMs: number
}

export function isStatic (settings: LimiterSettings): settings is StaticSettings {
  const { max, windowMs, ban } = settings
  if (typeof max !== 'number' || max > MAX_UNITS || typeof windowMs !== 'number') return false
  // A refusal by a `max` of 0 is no strike of a penalty.
  return ban === null || (ban < MAX_STRIKES && max > 0 && windowMs <= MAX_BAN_WINDOW_MS)
}

/** The plugin's options that routes and limiters inherit. */
export type Inherited = Omit<RateLimitPluginOptions, 'global' | 'redis' | 'nameSpace' | 'deadline' | 'groupId'>

/** Validates the plugin's options. Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_UNKNOWN_OPTION. */
export function parsePluginOptions (given: object): RateLimitPluginOptions {
  const options = omitNull(given)
  checkOptions(OptionsSchema, options, 'rateLimit')
  return options
}

/** Merges the options of a route or a limiter over the plugin's. Throws what `createSettings` does. */
export function mergeOptions (inherited: Inherited, given: unknown, place: string): LimiterSettings {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw badOption(place, 'an object of options, or false', given)
  }
  const all = omitNull(given)
  checkOptions('store' in all || inherited.store !== undefined ? StoreOptionsSchema : OptionsSchema, all, place)
  // An application may spread the options of `register` into those of a route.
  const { global, redis, nameSpace, deadline, ...options } = all
  return createSettings({
    ...inherited,
    ...options,
    // Merge single headers: one that is set must not remove the others.
    addHeaders: { ...inherited.addHeaders, ...options.addHeaders },
    addHeadersOnExceeding: { ...inherited.addHeadersOnExceeding, ...options.addHeadersOnExceeding }
  }, place)
}

/** Throws FST_SLUICE_BAD_OPTION with the place. */
export function createSettings (options: Inherited & RateLimitOptions, place: string): LimiterSettings {
  const { max = DEFAULT_MAX, ban = -1 } = options
  return {
    max: typeof max === 'number' ? Math.trunc(max) : max,
    windowMs: parseWindow(options.timeWindow ?? DEFAULT_WINDOW_MS, place),
    hook: options.hook ?? 'onRequest',
    allowList: createAllowList(options, `${place}.allowList`),
    keyGenerator: options.keyGenerator ?? null,
    ipv6Subnet: options.ipv6Subnet ?? IPV6_SUBNET,
    ban: ban < 0 ? null : Math.trunc(ban),
    skipOnError: options.skipOnError ?? null,
    continueExceeding: options.continueExceeding ?? false,
    exponentialBackoff: options.exponentialBackoff ?? false,
    groupId: options.groupId || null,
    store: options.store ?? null,
    headers: selectHeaders(options),
    onExceeding: options.onExceeding,
    onExceeded: options.onExceeded,
    onBanReach: options.onBanReach,
    errorResponseBuilder: options.errorResponseBuilder,
    rawOptions: options,
    place
  }
}

function parseWindow (timeWindow: NonNullable<RateLimitOptions['timeWindow']>, place: string): LimiterSettings['windowMs'] {
  if (typeof timeWindow === 'function') return timeWindow
  const ms = unboundedDurationMs(typeof timeWindow === 'number' ? Math.trunc(timeWindow) : timeWindow)
  if (ms === null) throw badOption(`${place}.timeWindow`, DURATION_EXPECTED, timeWindow)
  return Math.min(ms, MAX_WINDOW_MS)
}

/** `null` means not set, as in the original: `redis: null`, for development without Redis. */
function omitNull (given: object): object {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null && value !== undefined))
}
