import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema, HTTPMethods, onRequestHookHandler } from 'fastify'
import * as schemas from './admin-schemas.js'
import { toHooks, type AdminOptions } from '../config/schema/admin-schema.js'
import { badOption, checkOptions } from '../config/schema/check.js'
import { INSTANT_EXPECTED } from '../config/schema/instants.js'
import { isEnabledBySettings } from '../config/configuration.js'
import type { RateLimitDecorator } from '../decorator/decorator.js'
import type { SnapshotHolder } from '../runtime/snapshot.js'
import { FST_SLUICE_STORE, isLocated } from '../errors.js'
import { HIDDEN, reserveRoute } from './private-route.js'
import { AccessList } from './allow-list.js'
import { isFromSameOrigin, isToPrivateHost } from './request-origin.js'
import type { Reloader } from '../runtime/reloader.js'
import { asIs } from '../response/refuse.js'
import { readRouterOptions } from '../routing/router-options.js'
import { formatBadRequest, formatReducedCapacity } from '../response/problem.js'

const PREFIX = '/admin/rate-limit'
const PLACE = 'rateLimit.admin.prefix'
const ALL_EXPECTED = '"this"; "all" needs Redis, and the option admin.page on each instance'

/** The services that the routes use. */
export interface AdminServices {
  readonly rateLimit: RateLimitDecorator
  readonly snapshots: SnapshotHolder
  readonly reloader: Reloader
  /** `null` without the option `page`. */
  readonly page: OperatorPage | null
}

/** The page that shows what the operator routes answer. */
export interface OperatorPage {
  createRoutes (place: PagePlace): readonly AdminRoute[]
  /** Switch limits on or off in every other instance with a page. Rejects with FST_SLUICE_STORE. `null` without Redis. */
  readonly switchAll: ((enabled: boolean) => Promise<void>) | null
  /** The next response must show what has just changed. */
  forgetState (): void
}

/** Where the page is mounted. */
export interface PagePlace {
  /** Of the operator routes, with the prefix of the scope. */
  readonly prefix: string
  /** Whether the routes that change something are mounted too. */
  readonly canWrite: boolean
  /** Whether the router ignores a slash at the end of a URL. */
  readonly isSlashIgnored: boolean
}

export interface AdminRoute {
  readonly method: HTTPMethods
  readonly path: string
  readonly schema: FastifySchema
  /** May send the response itself. */
  readonly answer: (request: FastifyRequest, reply: FastifyReply) => unknown
}

/**
 * Mount the operator routes. They are not counted, run the application's hooks, and send 404 to addresses that are not
 * allowed, and to pages of other origins. Without hooks, routes that change something are not mounted, and others answer only
 * at addresses and private names. Returns their prefix. Throws FST_SLUICE_ROUTE_TAKEN.
 */
export function mountAdminRoutes (fastify: FastifyInstance, options: AdminOptions | undefined, services: AdminServices): string | null {
  if (options === undefined || options === false) return null
  const { prefix = PREFIX, onRequest, allow, openapi } = options
  const { snapshots, page } = services
  const accessList = new AccessList(allow, 'rateLimit.admin.allow', () => snapshots.current.identity)
  const hooks = toHooks(onRequest)
  const isAllowed = (request: FastifyRequest) => {
    return accessList.allows(request) && isFromSameOrigin(request) && (hooks.length > 0 || isToPrivateHost(request))
  }
  const place = {
    prefix: fastify.prefix + prefix, canWrite: hooks.length > 0, isSlashIgnored: readRouterOptions(fastify).ignoresTrailingSlash
  }
  const readRoutes = [...createReadRoutes(services), ...page?.createRoutes(place) ?? []]
  const routes = hooks.length === 0 ? readRoutes : [...readRoutes, ...createWriteRoutes(services)]
  for (const { method, path, schema, answer } of routes) {
    reserveRoute(fastify, PLACE, method, prefix + path, () => {
      fastify.route({
        method,
        url: prefix + path,
        schema: openapi === true ? schema : { ...schema, ...HIDDEN },
        config: { rateLimit: false },
        onRequest: [createAccessHook(isAllowed), ...hooks],
        // The application's compilers may not support these schemas.
        validatorCompiler: () => () => true,
        serializerCompiler: () => JSON.stringify,
        handler: async (request, reply) => await answerOrSendProblem(request, reply, answer, snapshots)
      })
    })
  }
  return place.prefix
}

function createReadRoutes ({ rateLimit, snapshots }: AdminServices): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/standings',
      schema: schemas.standings,
      async answer (request) {
        const partition = readPartition(request)
        return { partition, standings: await rateLimit.peek(partition) }
      }
    },
    {
      method: 'GET',
      path: '/usage',
      schema: schemas.usage,
      async answer (request) {
        const partition = readPartition(request)
        const { anchor } = readQuery(request)
        if (anchor !== undefined && typeof anchor !== 'string') throw badOption('anchor', INSTANT_EXPECTED, anchor)
        return { partition, usage: await rateLimit.usage(partition, { anchor }) }
      }
    },
    {
      method: 'GET',
      path: '/blocked',
      schema: schemas.blocked,
      async answer (request) {
        const { cursor, limit } = readQuery(request)
        if (cursor !== undefined && typeof cursor !== 'string') throw badOption('cursor', 'the cursor of the previous page', cursor)
        return await rateLimit.blocked({ cursor, limit: limit === undefined ? undefined : parseNumber(limit) })
      }
    },
    {
      method: 'GET',
      path: '/policies',
      schema: schemas.policies,
      answer (request) {
        const { route } = readQuery(request)
        if (route === undefined) return rateLimit.explain()
        if (typeof route !== 'string') throw badOption('route', 'one route', route)
        return rateLimit.explain(route)
      }
    },
    { method: 'GET', path: '/state', schema: schemas.state, answer: () => buildState(snapshots) }
  ]
}

function createWriteRoutes ({ rateLimit, snapshots, reloader, page }: AdminServices): AdminRoute[] {
  return [
    {
      method: 'DELETE',
      path: '/standings',
      schema: schemas.reset,
      async answer (request) {
        const forgotten = await rateLimit.reset(readPartition(request))
        page?.forgetState()
        return { forgotten }
      }
    },
    {
      method: 'PUT',
      path: '/state',
      schema: schemas.change,
      async answer ({ body }) {
        checkOptions(schemas.SwitchBody, body, 'body')
        const { enabled, instances } = body
        if (instances === 'all') {
          if (page === null || page.switchAll === null) throw badOption('body.instances', ALL_EXPECTED, instances)
          await page.switchAll(enabled)
        }
        reloader.setEnabled(enabled)
        page?.forgetState()
        return buildState(snapshots)
      }
    }
  ]
}

function buildState ({ current }: SnapshotHolder) {
  return { enabled: current.isEnabled, configured: isEnabledBySettings(current.merged) }
}

function createAccessHook (isAllowed: (request: FastifyRequest) => boolean): onRequestHookHandler {
  return function rateLimitAccess (request, reply, done) {
    if (!isAllowed(request)) {
      reply.callNotFound()
      return
    }
    reply.header('cache-control', 'no-store')
    done()
  }
}

/** Send a 400 for an invalid request and a 503 if the store fails. The application's error handler gets all other errors. */
async function answerOrSendProblem (
  request: FastifyRequest, reply: FastifyReply, answer: AdminRoute['answer'], { current }: SnapshotHolder
): Promise<unknown> {
  try {
    return await answer(request, reply)
  } catch (error) {
    if (isLocated(error)) return sendProblem(reply, 400, formatBadRequest(error.message, request.id))
    if (!(error instanceof FST_SLUICE_STORE)) throw error
    const retryAfter = current.retryUnavailableSeconds
    reply.header('retry-after', retryAfter)
    return sendProblem(reply, 503, formatReducedCapacity(retryAfter, request.id))
  }
}

function sendProblem (reply: FastifyReply, status: 400 | 503, problem: string): FastifyReply {
  return reply.code(status).serializer(asIs).header('content-type', 'application/problem+json; charset=utf-8').send(problem)
}

function readQuery ({ query }: FastifyRequest): Readonly<Record<string, unknown>> {
  return typeof query === 'object' && query !== null ? { ...query } : {}
}

/** Only checks that there is one string. `peek` and `reset` validate it. */
function readPartition (request: FastifyRequest): string {
  const { partition } = readQuery(request)
  if (typeof partition === 'string') return partition
  throw badOption('partition', 'one partition such as "ip:203.0.113.9", "user:42", "key:abc" or "global"', partition)
}

function parseNumber (text: unknown): number {
  return typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : NaN
}
