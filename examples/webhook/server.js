import Fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'
import { isSigned } from './signature.js'

/** @import { FastifyRequest } from 'fastify' */

/** What each shop may send, and how many events may wait, with their bodies, for their turn. */
export const limit = /** @type {const} */ ({ max: 10, timeWindow: '1s', burst: 5, throttle: { maxDelay: '2s', maxQueued: 20, maxQueuedPerClient: 10 } })

const shopOf = (/** @type {FastifyRequest} */ request) => /** @type {{ shop: string }} */ (request.params).shop
const bytesOf = (/** @type {FastifyRequest} */ request) => /** @type {Buffer} */ (request.body)

/**
 * Takes the webhooks of shops at a steady rate. A shop that sends many at once is not turned away at once, since it
 * would only send them again: they are held until they are due.
 *
 * @param {ReadonlyMap<string, string>} secrets By shop.
 * @param {(shop: string, event: { id: string }) => void} onEvent
 */
export async function buildServer (secrets, onEvent) {
  // Those who wait are kept in memory: at most maxQueued times this.
  const app = Fastify({ bodyLimit: 16 * 1024 })

  // By address. Signed or not: somebody has to check it.
  await app.register(rateLimitPlugin, { max: 1000, timeWindow: '1 minute' })

  // As bytes: a signature is one of what was sent, to the last space.
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => { done(null, body) })

  app.post('/hooks/:shop', {
    // Limits of a route's own stand in the place of those above, so its requests are counted there by this.
    onRequest: app.rateLimit(),
    preValidation: async (request, reply) => {
      const isShop = isSigned(secrets.get(shopOf(request)), bytesOf(request), request.headers['x-signature'])
      if (!isShop) return reply.code(401).send({ error: 'wrong signature' })
    },
    config: {
      rateLimit: {
        ...limit,
        keyGenerator: shopOf,
        // After the signature: what anybody can send stands in no line, and is held against no shop.
        hook: 'preHandler'
      }
    }
  }, async (request, reply) => {
    onEvent(shopOf(request), JSON.parse(bytesOf(request).toString()))
    return reply.code(202).send({ outcome: request.rateLimit?.outcome })
  })

  return app
}
