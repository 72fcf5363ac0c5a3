import { bare } from './bare.js'
import { fastifyRateLimit } from './fastify-rate-limit.js'
import { rateLimiterFlexible } from './rate-limiter-flexible.js'
import { sluiceConcurrency } from './sluice-concurrency.js'
import { sluiceEverything } from './sluice-everything.js'
import { sluicePage } from './sluice-page.js'
import { sluice } from './sluice.js'
import { threeHeadersLogged } from './three-headers-logged.js'
import { threeHeaders } from './three-headers.js'

/*
 * A contestant adds its limit to an application: at most `max` requests per day and client address, told in the
 * three X-RateLimit headers.
 */
export const contestants = { bare, threeHeaders, threeHeadersLogged, fastifyRateLimit, rateLimiterFlexible, sluice, sluiceConcurrency, sluicePage, sluiceEverything }

/** What the others are compared with: no limiter that tells clients where they stand can be faster. */
export const CEILING = 'threeHeaders'

export const limiters = ['fastifyRateLimit', 'rateLimiterFlexible', 'sluice', 'sluiceConcurrency', 'sluicePage', 'sluiceEverything']

export { NEVER_REACHED, WINDOW_SECONDS } from './settings.js'
