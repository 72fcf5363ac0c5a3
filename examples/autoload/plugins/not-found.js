import fp from 'fastify-plugin'

/** @import { FastifyInstance } from 'fastify' */

// This file comes before rate-limit.js by its name; `dependencies` has it loaded after.
export default fp(async (/** @type {FastifyInstance} */ fastify) => {
  // Unknown URLs are counted like all others, and by this no more than three of them.
  fastify.setNotFoundHandler({
    preHandler: fastify.rateLimit({ groupId: 'unknown', max: 3, timeWindow: '1 minute' })
  }, (_request, reply) => { reply.code(404).send({ error: 'there is no such page' }) })
}, { name: 'not-found', dependencies: ['rate-limit'] })
