import { bare } from './bare.js'
import { fastifyRateLimit } from './fastify-rate-limit.js'
import { rateLimiterFlexible } from './rate-limiter-flexible.js'
import { sluice } from './sluice.js'
import { threeHeaders } from './three-headers.js'

/*
 * A contestant adds its limit to an application: at most `max` requests per day and client address, told in the
 * three X-RateLimit headers.
 */
export const contestants = { bare, threeHeaders, fastifyRateLimit, rateLimiterFlexible, sluice }

/** What the others are compared with: no limiter that tells clients where they stand can be faster. */
export const CEILING = 'threeHeaders'

export const limiters = ['fastifyRateLimit', 'rateLimiterFlexible', 'sluice']

/** So high that nobody reaches it in a run. */
export const NEVER_REACHED = 10_000_000

/** So long that a bucket is still in use when its client comes again: dropping full ones would be another test. */
export const WINDOW_SECONDS = 86_400
