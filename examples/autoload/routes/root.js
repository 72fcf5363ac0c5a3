/** @import { FastifyInstance } from 'fastify' */

/** The limits of plugins/rate-limit.js. @param {FastifyInstance} fastify */
export default async function root (fastify) {
  fastify.get('/', async () => ({ hello: 'world' }))
  fastify.get('/about', async () => ({ about: 'the same budget' }))
}
