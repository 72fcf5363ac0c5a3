import type { MetricsOptions, MetricsRegistry } from '../config/schema/metrics-schema.js'
import { FST_SLUICE_CONTRADICTION } from '../errors.js'
import { PrivateRoute, type MountContext } from './private-route.js'
import { AccessList } from './allow-list.js'

const PATH = '/metrics'

const route = new PrivateRoute<MetricsRegistry>('metrics', PATH, async ([registry], reply) => {
  return reply.type(registry.contentType).send(await registry.metrics())
})

/**
 * Mount the metrics route for Prometheus. A registration without a path uses the route that already publishes its
 * registry. Returns the URL; `null` if a meter has the metrics, and neither a path nor a registry is set. Throws
 * FST_SLUICE_ROUTE_TAKEN, and FST_SLUICE_CONTRADICTION for two registries at one URL.
 */
export function mountMetricsRoute (context: MountContext, options: MetricsOptions | undefined, registry: MetricsRegistry): string | null {
  const { fastify, identity } = context
  const { path, allow, registry: own, otel } = options || {}
  if (otel !== undefined && path === undefined && own === undefined) return null
  const accessList = new AccessList(allow, 'rateLimit.metrics.allow', identity)
  const shared = path === undefined ? route.addSource(fastify, registry, accessList) : null
  if (shared !== null) return shared
  const hasOtherRegistry = route.sourcesAt(fastify, path ?? PATH).some((other) => other !== registry)
  if (hasOtherRegistry) {
    throw new FST_SLUICE_CONTRADICTION('rateLimit.metrics.registry',
      `another registration publishes another registry at ${fastify.prefix}${path ?? PATH}; share one registry, or set metrics.path here`)
  }
  // With a registry of its own, the application's route publishes these metrics too.
  return route.mount(context, { path, source: registry, accessList, isSilent: own !== undefined })
}
