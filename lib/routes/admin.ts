import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema, HTTPMethods, onRequestHookHandler } from 'fastify'
import * as schemas from './admin-schemas.js'
import { hooksOf, type AdminOptions } from '../config/schema/admin-schema.js'
import { badOption, checkOptions } from '../config/schema/check.js'
import { isEnabledBySettings } from '../config/configuration.js'
import type { RateLimitDecorator } from '../decorator/decorator.js'
import type { SnapshotHolder } from '../runtime/snapshot.js'
import { FST_SLUICE_STORE, isPlaced } from '../errors.js'
import { claimRoute } from './private-route.js'
import { Insiders } from './allow-list.js'
import type { Reloader } from '../runtime/reloader.js'
import { asIs } from '../response/refuse.js'
import { badRequest, reducedCapacity } from '../response/problem.js'

const PREFIX = '/admin/rate-limit'
const PLACE = 'rateLimit.admin.prefix'

/** What the routes speak for. */
export interface Administered {
  readonly rateLimit: RateLimitDecorator
  readonly snapshots: SnapshotHolder
  readonly reloader: Reloader
}

interface AdminRoute {
  readonly method: HTTPMethods
  readonly path: string
  readonly schema: FastifySchema
  readonly answer: (request: FastifyRequest) => unknown
}

/**
 * Mount the routes for operators: uncounted, 404 for whoever is no insider, behind the hooks of the application. Without
 * hooks those that change something are not mounted. Throws FST_SLUICE_ROUTE_TAKEN.
 */
export function mountAdminRoutes (fastify: FastifyInstance, options: AdminOptions | undefined, administered: Administered): void {
  if (options === undefined || options === false) return
  const { prefix = PREFIX, onRequest, allow } = options
  const { snapshots } = administered
  const insiders = new Insiders(allow, 'rateLimit.admin.allow', () => snapshots.current.identity)
  const hooks = hooksOf(onRequest)
  const routes = hooks.length === 0 ? readingRoutes(administered) : [...readingRoutes(administered), ...changingRoutes(administered)]
  for (const { method, path, schema, answer } of routes) {
    claimRoute(fastify, PLACE, method, prefix + path, () => {
      fastify.route({
        method,
        url: prefix + path,
        schema,
        config: { rateLimit: false },
        onRequest: [forInsiders(insiders), ...hooks],
        // Those of the application may know other schemas only.
        validatorCompiler: () => () => true,
        serializerCompiler: () => JSON.stringify,
        handler: async (request, reply) => await answerOrRefuse(request, reply, answer, snapshots)
      })
    })
  }
}

function readingRoutes ({ rateLimit, snapshots }: Administered): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/standings',
      schema: schemas.standings,
      async answer (request) {
        const partition = partitionIn(request)
        return { partition, standings: await rateLimit.peek(partition) }
      }
    },
    {
      method: 'GET',
      path: '/blocked',
      schema: schemas.blocked,
      async answer (request) {
        const { cursor, limit } = queryOf(request)
        if (cursor !== undefined && typeof cursor !== 'string') throw badOption('cursor', 'the cursor of the page before', cursor)
        return await rateLimit.blocked({ cursor, limit: limit === undefined ? undefined : numberOf(limit) })
      }
    },
    {
      method: 'GET',
      path: '/policies',
      schema: schemas.policies,
      answer (request) {
        const { route } = queryOf(request)
        if (route === undefined) return rateLimit.explain()
        if (typeof route !== 'string') throw badOption('route', 'one route', route)
        return rateLimit.explain(route)
      }
    },
    { method: 'GET', path: '/state', schema: schemas.state, answer: () => stateOf(snapshots) }
  ]
}

function changingRoutes ({ rateLimit, snapshots, reloader }: Administered): AdminRoute[] {
  return [
    {
      method: 'DELETE',
      path: '/standings',
      schema: schemas.reset,
      answer: async (request) => ({ forgotten: await rateLimit.reset(partitionIn(request)) })
    },
    {
      method: 'PUT',
      path: '/state',
      schema: schemas.change,
      answer ({ body }) {
        checkOptions(schemas.SwitchBody, body, 'body')
        reloader.setEnabled(body.enabled)
        return stateOf(snapshots)
      }
    }
  ]
}

function stateOf ({ current }: SnapshotHolder) {
  return { enabled: current.isEnabled, configured: isEnabledBySettings(current.layered) }
}

function forInsiders (insiders: Insiders): onRequestHookHandler {
  return function rateLimitInsiders (request, reply, done) {
    if (!insiders.include(request)) {
      reply.callNotFound()
      return
    }
    reply.header('cache-control', 'no-store')
    done()
  }
}

/** Wrong questions and a store that is away are answered here; any other error is the application's to answer. */
async function answerOrRefuse (request: FastifyRequest, reply: FastifyReply, answer: AdminRoute['answer'], { current }: SnapshotHolder): Promise<unknown> {
  try {
    return await answer(request)
  } catch (error) {
    if (isPlaced(error)) return sendProblem(reply, 400, badRequest(error.message, request.id))
    if (!(error instanceof FST_SLUICE_STORE)) throw error
    const retryAfter = current.retryUnavailableSeconds
    reply.header('retry-after', retryAfter)
    return sendProblem(reply, 503, reducedCapacity(retryAfter, request.id))
  }
}

function sendProblem (reply: FastifyReply, status: 400 | 503, problem: string): FastifyReply {
  return reply.code(status).serializer(asIs).header('content-type', 'application/problem+json; charset=utf-8').send(problem)
}

function queryOf ({ query }: FastifyRequest): Readonly<Record<string, unknown>> {
  return typeof query === 'object' && query !== null ? { ...query } : {}
}

/** What is no text is refused where partitions are read. */
function partitionIn (request: FastifyRequest): string {
  const { partition } = queryOf(request)
  if (typeof partition === 'string') return partition
  throw badOption('partition', 'one partition such as "ip:203.0.113.9", "user:42", "key:abc" or "global"', partition)
}

function numberOf (text: unknown): number {
  return typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : NaN
}
