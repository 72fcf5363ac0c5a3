import rateLimitPlugin from 'fastify-sluice'

/** @import { FastifyInstance } from 'fastify' */

/**
 * A folder with limits of its own, for all of its routes: the innermost registration decides, and shares nothing with
 * that of the application.
 *
 * @param {FastifyInstance} fastify
 */
export default async function partners (fastify) {
  await fastify.register(rateLimitPlugin, { max: 6, timeWindow: '1 minute', algorithm: 'sliding-window' })

  fastify.get('/orders', async () => ({ orders: [] }))
  fastify.get('/invoices', async () => ({ invoices: [] }))
}
