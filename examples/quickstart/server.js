import Fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'

/** A server with one route for each way to limit. */
export async function buildServer () {
  const app = Fastify()

  // Every route without limits of its own, and every unknown URL, gets these. The page for operators is at
  // /admin/rate-limit/page, for loopback and private addresses. It only shows, since there are no hooks that check who asks.
  await app.register(rateLimitPlugin, { max: 20, timeWindow: '1 minute', admin: { page: true } })

  app.get('/', async () => ({ hello: 'world' }))

  app.post('/login', {
    config: { rateLimit: { max: 5, timeWindow: '10s' } }
  }, async () => ({ welcome: true }))

  // Each request takes 10 of the 30 units.
  app.get('/report', {
    config: { rateLimit: { max: 30, timeWindow: '1 minute', cost: 10 } }
  }, async () => ({ rows: [] }))

  // Several limits at once: a request passes when all of them have room.
  app.get('/search', {
    config: {
      rateLimit: {
        limits: [
          { name: 'burst', max: 5, timeWindow: '1s' },
          { name: 'hourly', max: 100, timeWindow: '1 hour' }
        ]
      }
    }
  }, async () => ({ found: [] }))

  app.get('/health', { config: { rateLimit: false } }, async () => ({ status: 'ok' }))

  return app
}
