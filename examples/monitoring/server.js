import Fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'
import { customerOf } from './customers.js'

/**
 * A shop whose dashboard has something of everything: tiers, several limits, one on trial, a penalty, and a route that
 * holds requests instead of refusing them. Prometheus reads its `/metrics`.
 *
 * @param {{ redis: string }} options
 */
export async function buildServer ({ redis }) {
  const app = Fastify({ logger: { level: 'warn' } })

  await app.register(rateLimitPlugin, {
    redis,
    // The same numbers without Prometheus: /admin/rate-limit/page.
    admin: { page: true },
    limits: [
      { name: 'burst', max: 10, timeWindow: '1s' },
      { name: 'steady', max: 300, timeWindow: '1 minute' },
      { name: 'daily', max: 100_000, period: 'day' }
    ],
    concurrency: { max: 500, by: 'global' },
    tiers: { premium: { max: 50, timeWindow: '1s' }, internal: false },
    identify: { custom: customerOf, defaultTier: 'free' },
    // The load generator names the clients that it plays in X-Forwarded-For, as a proxy would.
    trustedProxies: ['loopback', 'private']
  })

  app.get('/products', async () => ({ products: [] }))
  app.get('/products/:id', async () => ({ price: 42 }))

  app.get('/search', {
    config: {
      rateLimit: {
        limits: [
          { name: 'search', max: 8, timeWindow: '1s' },
          // Would 4 a second do? It is counted as mode="shadow", and nobody is refused by it.
          { name: 'search-tighter', max: 4, timeWindow: '1s', mode: 'shadow' }
        ],
        // As many at once as the search answers without a queue.
        concurrency: { max: 'adaptive' }
      }
    }
  }, async () => ({ found: [] }))

  app.post('/login', {
    config: { rateLimit: { max: 5, timeWindow: '10s', penalty: { strikes: 10, cooldown: '20s', maxCooldown: '1 minute' } } }
  }, async (_request, reply) => reply.code(401).send({ error: 'wrong name or password' }))

  app.get('/thumbnail', {
    config: { rateLimit: { max: 20, timeWindow: '1s', burst: 5, throttle: { maxDelay: '1s' } } }
  }, async () => 'small')

  // Exempt without being asked, as health checks are.
  app.get('/health', async () => ({ status: 'ok' }))

  return app
}
