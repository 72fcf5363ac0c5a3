/** @import { FastifyInstance } from 'fastify' */

/** Limits of a route's own: below /search, by the name of the folder. @param {FastifyInstance} fastify */
export default async function search (fastify) {
  fastify.get('/', {
    config: { rateLimit: { max: 4, timeWindow: '1 minute' } }
  }, async () => ({ found: [] }))
}
