import { FST_SLUICE_CONTRADICTION, isLocated } from '../errors.js'
import type { RateLimitDecorator, RouteRateLimit } from '../index.js'

/** Compiles policies at the declaration, so that errors are thrown there and name the place of the options. */
export function compileEarly (limiter: RateLimitDecorator, policies: readonly RouteRateLimit[], place: string): void {
  try {
    for (const options of policies) limiter.guard(options)
  } catch (error) {
    if (!isLocated(error)) throw error
    const { message } = error
    throw error.code === 'FST_SLUICE_UNEQUAL_LIMITS'
      ? new FST_SLUICE_CONTRADICTION(`${place}.groupId`, `routes of one group share their counters and need equal limits (${message})`)
      : error.relocated(error.place.replace('rateLimit.guard', place))
  }
}
