import type { FastifyInstance, FastifyRequest } from 'fastify'
import { networksOf, type Networks } from './clients/cidr.js'
import type { RateLimitOptions } from './config/schema.js'
import { FST_SLUICE_ROUTE_TAKEN } from './errors.js'
import type { Identity } from './identity.js'
import { healthOf, type Health, type HealthSource } from './observability/health.js'

const PATH = '/health/rate-limit'
const INSIDERS = ['loopback', 'private']

/** Headers by which a proxy tells of itself. */
const FORWARDING = ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip', 'x-forwarded-host', 'x-forwarded-proto']

/** A registration that is asked at a URL, and who may ask it. */
interface Member {
  readonly source: HealthSource
  readonly allowed: Networks
  /** Whose word for the client's address is taken at present. */
  readonly identity: () => Identity
}

/** The health routes of each server, by URL, with all registrations that are asked there. */
const mounted = new WeakMap<object, Map<string, Member[]>>()

/**
 * Mount the health route: 200 while the store answers, 503 while it does not, 404 for whoever may not ask. Registrations
 * that meet at one URL share the route: the worst of them speaks, to whom all of them allow. Throws FST_SLUICE_ROUTE_TAKEN.
 */
export function mountHealthRoute (fastify: FastifyInstance, option: RateLimitOptions['health'], source: HealthSource, identity: () => Identity): void {
  if (option === false) return
  const path = option?.path ?? PATH
  const url = fastify.prefix + path
  const member: Member = { source, allowed: networksOf(option?.allow ?? INSIDERS, 'rateLimit.health.allow'), identity }
  const routes = mounted.get(fastify.server) ?? new Map<string, Member[]>()
  mounted.set(fastify.server, routes)
  const shared = routes.get(url)
  if (shared !== undefined) {
    shared.push(member)
    return
  }
  if (fastify.hasRoute({ method: 'GET', url })) throw new FST_SLUICE_ROUTE_TAKEN('rateLimit.health.path', url)
  const members = [member]
  routes.set(url, members)
  fastify.get(path, { config: { rateLimit: false } }, async (request, reply) => {
    if (!members.every((member) => mayAsk(request, member))) return reply.callNotFound()
    const health = worstOf(await Promise.all(members.map((asked) => healthOf(asked.source))))
    return reply.code(health.status === 'ok' ? 200 : 503).header('cache-control', 'no-store').send(health)
  })
}

function worstOf (reports: Health[]): Health {
  return reports.find(({ status }) => status === 'degraded') ?? reports[0]
}

/**
 * Both ends must be allowed, and every proxy between them: the socket's peer and the addresses that Fastify derives. With
 * `trustProxy: true` the last of those is whatever the client wrote, but its own is among them. A request with a
 * forwarding header from a proxy that nobody trusts is refused, so that a proxy on the same host does not publish the route.
 */
function mayAsk (request: FastifyRequest, { allowed, identity }: Member): boolean {
  const peer = request.socket.remoteAddress
  // A Unix socket's peer has no address; whoever can open the socket is on this host.
  if (peer !== undefined && !allowed.has(peer)) return false
  if (FORWARDING.every((name) => request.headers[name] === undefined)) return true
  const { proxies, identifier } = identity()
  if (proxies !== null) return proxies.areBehind(request) && allowed.has(identifier.addressOf(request))
  // The first is the peer; there are others only where it is trusted.
  const [, ...derived] = request.ips ?? []
  return derived.length > 0 && derived.every((address) => allowed.has(address))
}
