import { RateLimiterMemory } from 'rate-limiter-flexible'
import { WINDOW_SECONDS } from './settings.js'

/** It counts IPv6 addresses one by one, without reading them. */
export const rateLimiterFlexible = {
  title: 'rate-limiter-flexible',
  add (app, max) {
    limitByHook(app, new RateLimiterMemory({ points: max, duration: WINDOW_SECONDS }), (request) => request.ip, max)
  }
}

/** It has no plugin: this hook is what its users write. */
export function limitByHook (app, limiter, keyOf, max) {
  function writeHeaders (reply, standing) {
    reply.header('x-ratelimit-limit', max)
    reply.header('x-ratelimit-remaining', standing.remainingPoints)
    reply.header('x-ratelimit-reset', Math.ceil(standing.msBeforeNext / 1000))
  }

  app.addHook('onRequest', async (request, reply) => {
    try {
      writeHeaders(reply, await limiter.consume(keyOf(request)))
    } catch (refused) {
      if (refused instanceof Error) throw refused
      writeHeaders(reply, refused)
      reply.header('retry-after', Math.ceil(refused.msBeforeNext / 1000))
      return reply.code(429).send({ statusCode: 429, error: 'Too Many Requests', message: 'Rate limit exceeded' })
    }
  })
}
