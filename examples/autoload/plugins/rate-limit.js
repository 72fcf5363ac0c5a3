import fp from 'fastify-plugin'
import rateLimitPlugin from 'fastify-sluice'

/** @import { FastifyInstance } from 'fastify' */

// With fastify-plugin, or it would hold for this file alone.
export default fp(async (/** @type {FastifyInstance} */ fastify) => {
  await fastify.register(rateLimitPlugin, { max: 10, timeWindow: '1 minute', algorithm: 'sliding-window' })
}, { name: 'rate-limit' })
