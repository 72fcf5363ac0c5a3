import { badOption } from './check.js'
import { DURATION_EXPECTED, durationMs } from './durations.js'
import { checkRedisTarget } from './redis-target.js'
import type { RateLimitOptions } from './schema.js'

/** Check what the schema cannot express about where limits are kept. Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_UNKNOWN_OPTION. */
export function checkBackendOptions ({ redis, breaker }: RateLimitOptions): void {
  if (redis !== undefined) checkRedisTarget(redis, 'rateLimit.redis')
  for (const field of ['within', 'openFor'] as const) {
    const value = breaker?.[field]
    if (value !== undefined && durationMs(value) === null) throw badOption(`rateLimit.breaker.${field}`, DURATION_EXPECTED, value)
  }
}
