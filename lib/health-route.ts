import type { FastifyInstance, FastifyRequest } from 'fastify'
import { networksOf, type Networks } from './clients/cidr.js'
import type { RateLimitOptions } from './config/schema.js'
import { FST_SLUICE_ROUTE_TAKEN } from './errors.js'
import { healthOf, type Health, type HealthSource } from './observability/health.js'

const PATH = '/health/rate-limit'
const INSIDERS = ['loopback', 'private']

/** The health routes of each server, by URL, with all registrations that are asked there. */
const mounted = new WeakMap<object, Map<string, HealthSource[]>>()

/**
 * Mount the health route: 200 while the store answers, 503 while it does not, 404 for whoever may not ask. Registrations
 * that meet at one URL share the route, and the worst of them speaks. Throws FST_SLUICE_ROUTE_TAKEN.
 */
export function mountHealthRoute (fastify: FastifyInstance, option: RateLimitOptions['health'], source: HealthSource): void {
  if (option === false) return
  const path = option?.path ?? PATH
  const url = fastify.prefix + path
  const allowed = networksOf(option?.allow ?? INSIDERS, 'rateLimit.health.allow')
  const routes = mounted.get(fastify.server) ?? new Map<string, HealthSource[]>()
  mounted.set(fastify.server, routes)
  const shared = routes.get(url)
  if (shared !== undefined) {
    shared.push(source)
    return
  }
  if (fastify.hasRoute({ method: 'GET', url })) throw new FST_SLUICE_ROUTE_TAKEN('rateLimit.health.path', url)
  const sources = [source]
  routes.set(url, sources)
  fastify.get(path, { config: { rateLimit: false } }, async (request, reply) => {
    if (!mayAsk(request, allowed)) return reply.callNotFound()
    const health = worstOf(await Promise.all(sources.map(healthOf)))
    return reply.code(health.status === 'ok' ? 200 : 503).header('cache-control', 'no-store').send(health)
  })
}

function worstOf (reports: Health[]): Health {
  return reports.find(({ status }) => status === 'degraded') ?? reports[0]
}

/**
 * Both ends must be allowed: the socket's peer and the client that Fastify derives. A request with a forwarding header
 * from a proxy that nobody trusts is refused, so that a proxy on the same host does not publish the route.
 */
function mayAsk (request: FastifyRequest, allowed: Networks): boolean {
  const peer = request.socket.remoteAddress
  // A Unix socket's peer has no address; whoever can open the socket is on this host.
  if (peer !== undefined && !allowed.has(peer)) return false
  const isForwarded = request.headers['x-forwarded-for'] !== undefined || request.headers.forwarded !== undefined
  // Only where the proxy is trusted is the client another than the peer.
  return !isForwarded || (request.ip !== peer && allowed.has(request.ip))
}
