import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import { FST_SLUICE_ROUTE_TAKEN } from '../errors.js'
import type { AccessList } from './allow-list.js'

/** What one registration brings to a route that several may share. */
interface Member<T> {
  readonly source: T
  readonly accessList: AccessList
}

/** Known to @fastify/swagger: what the application offers to others is no place for these routes. */
const HIDDEN: FastifySchema & { readonly hide: true } = { hide: true }

/**
 * A route for insiders, mounted once at each URL of a server. Registrations that meet at one URL share it. It answers
 * whom all of them allow that say whom; for everybody else there is no such route.
 */
export class PrivateRoute<T> {
  readonly #place: string
  readonly #answer: (sources: readonly T[], reply: FastifyReply) => Promise<unknown>
  /** Of each server, by URL. */
  readonly #mounted = new WeakMap<object, Map<string, Array<Member<T>>>>()

  /** `place`: the option that says the path. `answer`: writes the answer of all that are asked there. */
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

  /** What is asked at a URL of a server; empty where nothing is mounted. */
  sourcesAt (fastify: FastifyInstance, path: string): readonly T[] {
    return this.#getRoutes(fastify).get(fastify.prefix + path)?.map(({ source }) => source) ?? []
  }

  /** Let a registration have a say in who may ask at all URLs of a server where something is asked. Answers whether there are any. */
  addSource (fastify: FastifyInstance, source: T, accessList: AccessList): boolean {
    const shared = [...this.#getRoutes(fastify).values()].filter((members) => members.some((member) => member.source === source))
    for (const members of shared) members.push({ source, accessList })
    return shared.length > 0
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
 * Declare a route of ours where the application has none, nor will have one: a later one at the same URL would fail
 * without a word of who has it. `place`: the option that says the path. Throws FST_SLUICE_ROUTE_TAKEN.
 */
export function reserveRoute (fastify: FastifyInstance, place: string, reservedMethod: string, path: string, declare: () => void): void {
  const reservedUrl = fastify.prefix + path
  if (fastify.hasRoute({ method: reservedMethod, url: reservedUrl })) throw new FST_SLUICE_ROUTE_TAKEN(place, reservedUrl)
  declare()
  fastify.addHook('onRoute', ({ url, method, constraints = {} }) => {
    if (url === reservedUrl && [method].flat().includes(reservedMethod) && Object.keys(constraints).length === 0) throw new FST_SLUICE_ROUTE_TAKEN(place, url)
  })
}
