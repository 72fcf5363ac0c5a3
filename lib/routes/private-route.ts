import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import { FST_SLUICE_ROUTE_TAKEN } from '../errors.js'
import type { IdentityServices } from '../clients/identity.js'
import type { AccessList } from './allow-list.js'
import type { Answers, UnroutedPaths } from './unrouted-paths.js'

/** Where a registration mounts its routes. */
export interface MountContext {
  readonly fastify: FastifyInstance
  readonly unrouted: UnroutedPaths
  /** Returns the current services that derive the client's address. */
  readonly identity: () => IdentityServices
}

/** What a registration mounts. */
interface Mount<T> {
  /** Default: the default path. */
  readonly path: string | undefined
  readonly source: T
  readonly accessList: AccessList
  /** Whether nothing is to be warned of if the application answers the default path. */
  readonly isSilent?: boolean
}

/** One registration at a route that several may share. */
interface Member<T> {
  readonly source: T
  readonly accessList: AccessList
}

/** Writes the response for all sources. */
type Answer<T> = (sources: readonly T[], reply: FastifyReply) => Promise<unknown>

/** Read by @fastify/swagger: private routes do not belong into the application's public document. */
export const HIDDEN: FastifySchema & { readonly hide: true } = { hide: true }

/**
 * A route with an access list, mounted once per URL of a server. Registrations with the same URL share it. Then every
 * explicit access list must allow the request. Other clients get a 404.
 */
export class PrivateRoute<T> {
  readonly #option: 'health' | 'metrics'
  readonly #defaultPath: string
  readonly #answer: Answer<T>
  /** For each server, by URL. */
  readonly #mounted = new WeakMap<object, Map<string, Array<Member<T>>>>()

  /** `option`: the option of the plugin. */
  constructor (option: 'health' | 'metrics', defaultPath: string, answer: Answer<T>) {
    this.#option = option
    this.#defaultPath = defaultPath
    this.#answer = answer
  }

  /**
   * Mount a route of ours, or share it. The default path is answered as an unknown URL, so that it yields to a route of the
   * application. Returns the URL. Throws FST_SLUICE_ROUTE_TAKEN.
   */
  mount ({ fastify, unrouted }: MountContext, { path, source, accessList, isSilent = false }: Mount<T>): string {
    const url = fastify.prefix + (path ?? this.#defaultPath)
    const routes = this.#getRoutes(fastify)
    const shared = routes.get(url)
    if (shared !== undefined) {
      shared.push({ source, accessList })
      return url
    }
    const members: Array<Member<T>> = [{ source, accessList }]
    const answers = {
      allows: (request: FastifyRequest) => isAllowedByAll(members, request),
      answer: (reply: FastifyReply) => {
        reply.code(200).header('cache-control', 'no-store')
        return this.#answer(members.map((member) => member.source), reply)
      }
    }
    if (path === undefined) unrouted.add(fastify, url, { ...answers, option: isSilent ? null : this.#option })
    else mountRoute(fastify, `rateLimit.${this.#option}.path`, path, answers)
    routes.set(url, members)
    return url
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

function mountRoute (fastify: FastifyInstance, place: string, path: string, { allows, answer }: Answers): void {
  reserveRoute(fastify, place, 'GET', path, () => {
    fastify.get(path, { schema: HIDDEN, config: { rateLimit: false } }, async (request, reply) => {
      return allows(request) ? await answer(reply) : reply.callNotFound()
    })
  })
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
