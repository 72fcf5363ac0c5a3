import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import { FST_SLUICE_ROUTE_TAKEN } from '../errors.js'
import type { Insiders } from './allow-list.js'

/** What one registration brings to a route that several may share. */
interface Member<T> {
  readonly asked: T
  readonly insiders: Insiders
}

/** Known to @fastify/swagger: what the application offers to others is no place for these routes. */
const HIDDEN: FastifySchema & { readonly hide: true } = { hide: true }

/**
 * A route for insiders, mounted once at each URL of a server. Registrations that meet at one URL share it. It answers
 * whom all of them allow that say whom; for everybody else there is no such route.
 */
export class InsiderRoute<T> {
  readonly #place: string
  readonly #answer: (asked: readonly T[], reply: FastifyReply) => Promise<unknown>
  /** Of each server, by URL. */
  readonly #mounted = new WeakMap<object, Map<string, Array<Member<T>>>>()

  /** `place`: the option that says the path. `answer`: writes the answer of all that are asked there. */
  constructor (place: string, answer: (asked: readonly T[], reply: FastifyReply) => Promise<unknown>) {
    this.#place = place
    this.#answer = answer
  }

  /** Throws FST_SLUICE_ROUTE_TAKEN. */
  mount (fastify: FastifyInstance, path: string, asked: T, insiders: Insiders): void {
    const url = fastify.prefix + path
    const routes = this.#routesOf(fastify)
    const shared = routes.get(url)
    if (shared !== undefined) {
      shared.push({ asked, insiders })
      return
    }
    const members = [{ asked, insiders }]
    claimRoute(fastify, this.#place, 'GET', path, () => {
      routes.set(url, members)
      fastify.get(path, { schema: HIDDEN, config: { rateLimit: false } }, async (request, reply) => {
        if (!isForAll(members, request)) return reply.callNotFound()
        reply.header('cache-control', 'no-store')
        return this.#answer(members.map((member) => member.asked), reply)
      })
    })
  }

  /** What is asked at a URL of a server; empty where nothing is mounted. */
  askedAt (fastify: FastifyInstance, path: string): readonly T[] {
    return this.#routesOf(fastify).get(fastify.prefix + path)?.map(({ asked }) => asked) ?? []
  }

  /** Let a registration have a say in who may ask at all URLs of a server where something is asked. Answers whether there are any. */
  join (fastify: FastifyInstance, asked: T, insiders: Insiders): boolean {
    const shared = [...this.#routesOf(fastify).values()].filter((members) => members.some((member) => member.asked === asked))
    for (const members of shared) members.push({ asked, insiders })
    return shared.length > 0
  }

  #routesOf ({ server }: FastifyInstance): Map<string, Array<Member<T>>> {
    const routes = this.#mounted.get(server) ?? new Map<string, Array<Member<T>>>()
    this.#mounted.set(server, routes)
    return routes
  }
}

function isForAll (members: ReadonlyArray<Member<unknown>>, request: FastifyRequest): boolean {
  const said = members.filter(({ insiders }) => insiders.isSaid)
  return (said.length > 0 ? said : members).every(({ insiders }) => insiders.include(request))
}

/**
 * Declare a route of ours where the application has none, nor will have one: a later one at the same URL would fail
 * without a word of who has it. `place`: the option that says the path. Throws FST_SLUICE_ROUTE_TAKEN.
 */
export function claimRoute (fastify: FastifyInstance, place: string, claimed: string, path: string, declare: () => void): void {
  const taken = fastify.prefix + path
  if (fastify.hasRoute({ method: claimed, url: taken })) throw new FST_SLUICE_ROUTE_TAKEN(place, taken)
  declare()
  fastify.addHook('onRoute', ({ url, method, constraints = {} }) => {
    if (url === taken && [method].flat().includes(claimed) && Object.keys(constraints).length === 0) throw new FST_SLUICE_ROUTE_TAKEN(place, url)
  })
}
