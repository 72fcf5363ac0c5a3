import { FST_SLUICE_CONTRADICTION } from '../errors.js'
import { badOption } from './check.js'
import { DURATION_EXPECTED, durationMs } from './durations.js'
import { tellIn, throwFirst, type Tell } from './mistakes.js'
import { tellRedisMistakes } from './redis-target.js'
import type { RateLimitOptions } from './schema.js'
import { valueAt } from './schema-values.js'
import { tellStoreMistakes } from './store-option.js'

/** Check what the schema cannot express about where limits are kept. Throws FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION and FST_SLUICE_CONTRADICTION. */
export function checkBackendOptions (options: RateLimitOptions): void {
  throwFirst('rateLimit', (tell) => tellBackendMistakes(options, tell))
}

/**
 * Tell what `checkBackendOptions` would throw. Values that are not what the schema says are passed over.
 * `redisExpected`: what the `redis` option may be in this source of options.
 */
export function tellBackendMistakes (options: unknown, tell: Tell, redisExpected?: string): void {
  const redis = valueAt(options, ['redis'])
  if (redis !== undefined) tellRedisMistakes(redis, tellIn(['redis'], tell), redisExpected)
  const store = valueAt(options, ['store'])
  if (store !== undefined) tellStoreMistakes(store, tellIn(['store'], tell))
  if (store !== undefined && redis !== undefined) tell(['store'], (place) => new FST_SLUICE_CONTRADICTION(place, 'contradicts redis; limits are kept in one of them'))
  for (const field of ['within', 'openFor']) {
    const value = valueAt(options, ['breaker', field])
    if ((typeof value === 'string' || typeof value === 'number') && durationMs(value) === null) {
      tell(['breaker', field], (place) => badOption(place, DURATION_EXPECTED, value))
    }
  }
}
