import { FST_SLUICE_BAD_OPTION, FST_SLUICE_CONTRADICTION } from '../../errors.js'
import { badOption } from '../schema/check.js'
import { DURATION_EXPECTED, durationMs } from '../schema/durations.js'
import { reportAt, throwFirst, type Report } from '../schema/error-collector.js'
import { reportRedisErrors } from './redis-target.js'
import { CLOCK_EXPECTED, STORE_EXPECTED, type RateLimitOptions } from '../schema/options-schema.js'
import { valueAt } from '../schema/schema-values.js'
import type { Store } from '../../stores/store.js'
import { NAME_PATTERN, NAME_EXPECTED } from '../schema/option-types.js'

/**
 * Check what the schema cannot express about `redis`, `store`, `clock` and `breaker`. Throws FST_SLUICE_BAD_OPTION,
 * FST_SLUICE_UNKNOWN_OPTION and FST_SLUICE_CONTRADICTION.
 */
export function checkBackendOptions (options: RateLimitOptions): void {
  throwFirst('rateLimit', (report) => reportBackendErrors(options, report))
}

/**
 * Report the errors that `checkBackendOptions` would throw. Values that do not match the schema are skipped.
 * `redisExpected`: the values that `redis` may have in this source of options.
 */
export function reportBackendErrors (options: unknown, report: Report, redisExpected?: string): void {
  const given = valueAt(options, ['redis'])
  // `false` selects the memory store.
  const redis = given === false ? undefined : given
  if (redis !== undefined) reportRedisErrors(redis, reportAt(['redis'], report), redisExpected)
  const store = valueAt(options, ['store'])
  if (store !== undefined) reportStoreErrors(store, reportAt(['store'], report))
  if (store !== undefined && redis !== undefined) {
    report(['store'], (place) => new FST_SLUICE_CONTRADICTION(place, 'contradicts redis; set only one of them'))
  }
  const clock = valueAt(options, ['clock'])
  if (clock !== undefined && !isClock(clock)) report(['clock'], (place) => badOption(place, CLOCK_EXPECTED, clock))
  for (const field of ['within', 'openFor']) {
    const value = valueAt(options, ['breaker', field])
    if ((typeof value === 'string' || typeof value === 'number') && durationMs(value) === null) {
      report(['breaker', field], (place) => badOption(place, DURATION_EXPECTED, value))
    }
  }
}

function isClock (value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'nowUs' in value && typeof value.nowUs === 'function'
}

/** The methods that the plugin calls. */
const METHODS = ['take', 'peek', 'adjust', 'reset', 'ping'] as const satisfies ReadonlyArray<keyof Store>

/** Report the members that an object lacks to be a store. Its behaviour shows only in calls. */
export function reportStoreErrors (store: unknown, report: Report): void {
  if (typeof store !== 'object' || store === null || Array.isArray(store)) {
    return report([], (place) => badOption(place, STORE_EXPECTED, store))
  }
  const given: Partial<Record<keyof Store, unknown>> = store
  const missing = METHODS.filter((method) => typeof given[method] !== 'function')
  if (missing.length > 0) {
    return report([], (place) => new FST_SLUICE_BAD_OPTION(place, STORE_EXPECTED, `an object without ${missing.join(', ')}`))
  }
  const { kind } = given
  if (typeof kind !== 'string' || !new RegExp(NAME_PATTERN).test(kind)) {
    report(['kind'], (place) => badOption(place, NAME_EXPECTED, kind))
  }
}
