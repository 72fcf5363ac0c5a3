import type { FastifyInstance } from 'fastify'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import type { IdentityServices } from '../clients/identity.js'
import { PrivateRoute } from './private-route.js'
import { AccessList } from './allow-list.js'
import type { Health } from '../observability/health.js'

const PATH = '/health/rate-limit'

const route = new PrivateRoute<() => Promise<Health>>('rateLimit.health.path', async (sources, reply) => {
  const health = selectWorst(await Promise.all(sources.map((report) => report())))
  return reply.code(health.status === 'ok' ? 200 : 503).send(health)
})

/**
 * Mount the health route: 200 while the store answers, 503 while it does not, 404 for addresses that are not allowed.
 * If several registrations share the URL, the worst state is sent. Returns the URL. Throws FST_SLUICE_ROUTE_TAKEN.
 */
export function mountHealthRoute (
  fastify: FastifyInstance, option: RateLimitOptions['health'], report: () => Promise<Health>, identity: () => IdentityServices
): string | null {
  if (option === false) return null
  const path = option?.path ?? PATH
  route.mount(fastify, path, report, new AccessList(option?.allow, 'rateLimit.health.allow', identity))
  return fastify.prefix + path
}

function selectWorst (reports: Health[]): Health {
  return reports.find(({ status }) => status === 'degraded') ?? reports[0]
}
