import Fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'

/** @import { FastifyRequest } from 'fastify' */
/** @import { Address } from '../shared/ask-redis.js' */

/** Each client may ask 10 times at once, and once a second in the long run. */
export const limit = /** @type {const} */ ({ max: 10, timeWindow: '10s' })

/**
 * The most that a client may be granted within so many seconds, by all instances together.
 *
 * @param {number} seconds
 */
export function mostGranted (seconds) {
  return Math.floor(limit.max + seconds * limit.max / 10)
}

/**
 * One instance of an API whose limits are kept by whichever server the sentinels call the primary.
 *
 * @param {{ name: string, sentinels: Address[] }} redis
 */
export async function buildServer (redis) {
  const app = Fastify()

  await app.register(rateLimitPlugin, {
    redis,
    ...limit,
    // While there is no primary, each instance holds the limit by itself: clients are neither turned away nor let
    // through without end.
    failureMode: 'local',
    // No request waits longer for Redis. In production the default of 50 ms; more for a proof on a busy machine.
    deadline: 1000,
    breaker: { openFor: '1s' },
    // For the demo: several clients from one address.
    keyGenerator: (/** @type {FastifyRequest} */ request) => String(request.headers['x-client'])
  })

  app.get('/', async () => ({ hello: 'sentinel' }))

  return app
}
