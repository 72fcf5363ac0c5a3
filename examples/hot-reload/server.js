import Fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'

/** @import { FastifyRequest } from 'fastify' */

/**
 * A server whose limits are in a file, and change when the file does.
 *
 * @param {string} configFile
 */
export async function buildServer (configFile) {
  const app = Fastify()

  await app.register(rateLimitPlugin, {
    configFile,
    // Functions can only be given in code. For the demo: two clients from one address.
    keyGenerator: (/** @type {FastifyRequest} */ request) => String(request.headers['x-client'])
  })

  app.get('/', async () => ({ hello: 'world' }))
  app.get('/search', async () => ({ found: [] }))

  return app
}
