import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import { FST_SLUICE_ROUTE_TAKEN } from '../errors.js'
import type { AccessList } from './allow-list.js'

/** One registration at a route that several may share. */
interface Member<T> {
  readonly source: T
  readonly accessList: AccessList
}

/** Read by @fastify/swagger: private routes do not belong into the application's public document. */
const HIDDEN: FastifySchema & { readonly hide: true } = { hide: true }

/**
 * A route with an access list, mounted once per URL of a server. Registrations with the same URL share it. Then every
 * explicit access list must allow the request. Other clients get a 404.
 */
export class PrivateRoute<T> {
  readonly #place: string
  readonly #answer: (sources: readonly T[], reply: FastifyReply) => Promise<unknown>
  /** For each server, by URL. */
  readonly #mounted = new WeakMap<object, Map<string, Array<Member<T>>>>()

  /** `place`: the option with the path, for errors. `answer`: writes the response for all sources. */
  constructor (place: string, answer: (sources: readonly T[], reply: FastifyReply) => Promise<unknown>) {
    this.#place = place
    this.#answer = answer
  }

  /** Throws FST_SLUICE_ROUTE_TAKEN. */
  mount (fastify: FastifyInstance, path: string, source: T, accessList: AccessList): void {
    const url = fastify.prefix + path
    const routes = this.#getRoutes(fastify)
    const shared = routes.get(url)
    if (shared !== undefined) {
      shared.push({ source, accessList })
      return
    }
    const members: Array<Member<T>> = [{ source, accessList }]
    reserveRoute(fastify, this.#place, 'GET', path, () => {
      routes.set(url, members)
      fastify.get(path, { schema: HIDDEN, config: { rateLimit: false } }, async (request, reply) => {
        if (!isAllowedByAll(members, request)) return reply.callNotFound()
        reply.header('cache-control', 'no-store')
        return this.#answer(members.map((member) => member.source), reply)
      })
    })
  }

  /** The sources at a URL of a server; empty if the route is not mounted there. */
  sourcesAt (fastify: FastifyInstance, path: string): readonly T[] {
    return this.#getRoutes(fastify).get(fastify.prefix + path)?.map(({ source }) => source) ?? []
  }

  /** Add a registration's access list at every URL of a server that has this source. Returns the first; `null` without one. */
  addSource (fastify: FastifyInstance, source: T, accessList: AccessList): string | null {
    const shared = [...this.#getRoutes(fastify)].filter(([, members]) => members.some((member) => member.source === source))
    for (const [, members] of shared) members.push({ source, accessList })
    return shared[0]?.[0] ?? null
  }

  #getRoutes ({ server }: FastifyInstance): Map<string, Array<Member<T>>> {
    const routes = this.#mounted.get(server) ?? new Map<string, Array<Member<T>>>()
    this.#mounted.set(server, routes)
    return routes
  }
}

function isAllowedByAll (members: ReadonlyArray<Member<unknown>>, request: FastifyRequest): boolean {
  const explicit = members.filter(({ accessList }) => accessList.isExplicit)
  return (explicit.length > 0 ? explicit : members).every(({ accessList }) => accessList.allows(request))
}

/**
 * Declare a route of ours. Throws FST_SLUICE_ROUTE_TAKEN if the application has the route, or declares it later:
 * Fastify's own error would not name the option. `place`: the option with the path.
 */
export function reserveRoute (fastify: FastifyInstance, place: string, reservedMethod: string, path: string, declare: () => void): void {
  const reservedUrl = fastify.prefix + path
  if (fastify.hasRoute({ method: reservedMethod, url: reservedUrl })) throw new FST_SLUICE_ROUTE_TAKEN(place, reservedUrl)
  declare()
  fastify.addHook('onRoute', ({ url, method, constraints = {} }) => {
    if (url !== reservedUrl || ![method].flat().includes(reservedMethod) || Object.keys(constraints).length > 0) return
    throw new FST_SLUICE_ROUTE_TAKEN(place, url)
  })
}
