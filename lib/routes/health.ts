import type { RateLimitOptions } from '../config/schema/options-schema.js'
import { PrivateRoute, type MountContext } from './private-route.js'
import { AccessList } from './allow-list.js'
import type { Health } from '../observability/health.js'

const route = new PrivateRoute<() => Promise<Health>>('health', '/health/rate-limit', async (sources, reply) => {
  const health = selectWorst(await Promise.all(sources.map((report) => report())))
  return reply.code(health.status === 'ok' ? 200 : 503).send(health)
})

/**
 * Mount the health route: 200 while the store answers, 503 while it does not, 404 for addresses that are not allowed.
 * If several registrations share the URL, the worst state is sent. Returns the URL. Throws FST_SLUICE_ROUTE_TAKEN.
 */
export function mountHealthRoute (
  context: MountContext, option: RateLimitOptions['health'], report: () => Promise<Health>
): string | null {
  if (option === false) return null
  const accessList = new AccessList(option?.allow, 'rateLimit.health.allow', context.identity)
  return route.mount(context, { path: option?.path, source: report, accessList })
}

function selectWorst (reports: Health[]): Health {
  return reports.find(({ status }) => status === 'degraded') ?? reports[0]
}
