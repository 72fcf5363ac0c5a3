import type { FastifyInstance } from 'fastify'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import type { Identity } from '../clients/identity.js'
import { InsiderRoute } from './private-route.js'
import { Insiders } from './allow-list.js'
import { healthOf, type Health, type HealthSource } from '../observability/health.js'

const PATH = '/health/rate-limit'

const route = new InsiderRoute<HealthSource>('rateLimit.health.path', async (asked, reply) => {
  const health = worstOf(await Promise.all(asked.map(healthOf)))
  return reply.code(health.status === 'ok' ? 200 : 503).send(health)
})

/**
 * Mount the health route: 200 while the store answers, 503 while it does not, 404 for whoever may not ask. Of
 * registrations that meet at one URL the worst speaks. Throws FST_SLUICE_ROUTE_TAKEN.
 */
export function mountHealthRoute (fastify: FastifyInstance, option: RateLimitOptions['health'], source: HealthSource, identity: () => Identity): void {
  if (option === false) return
  route.mount(fastify, option?.path ?? PATH, source, new Insiders(option?.allow, 'rateLimit.health.allow', identity))
}

function worstOf (reports: Health[]): Health {
  return reports.find(({ status }) => status === 'degraded') ?? reports[0]
}
