import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { FaultLog } from '../common/log.js'
import type { Phase } from '../config/schema/policy-schema.js'
import { FST_SLUICE_INVALID_ROUTE } from '../errors.js'
import type { Next } from '../request/limiter-context.js'
import type { SnapshotHolder } from '../runtime/snapshot.js'

/** State shared by the hooks of one registration. */
export interface Limiting {
  readonly snapshots: SnapshotHolder
  readonly faults: FaultLog
  /** Whether this registration is the innermost one around a scope. Only that one limits the scope's requests. */
  readonly isOwnScope: (scope: FastifyInstance) => boolean
}

/** Compile the policy of each route when it is declared. Attach a hook if it limits in a later phase. */
export function compileRoutes (fastify: FastifyInstance, { snapshots, isOwnScope }: Limiting): void {
  fastify.addHook('onRoute', function compileRoute (route: RouteOptions) {
    if (!isOwnScope(this)) return
    const { index, phases } = snapshots.current.routes.declare(route)
    for (const phase of phases) {
      if (phase === 'onRequest') continue
      appendRouteHook(route, phase, function rateLimit (request, reply, next) {
        const snapshot = snapshots.forRequest(request)
        // A registration of its own may have been added to the route's scope after the route.
        const policy = snapshot.isEnabled && isOwnScope(request.server) ? snapshot.routes.policyIn(phase, index, request) : null
        if (policy === null) next()
        else snapshot.limiter.limit(policy, request, reply, next)
      })
    }
  })
}

/** Limit every request of a scope, including unknown URLs and routes declared before the plugin was loaded. */
export function limitRequests (fastify: FastifyInstance, limiting: Limiting): void {
  addScopeHook(fastify, 'onRequest', createLimitHook('onRequest', limiting))
  const { hook } = limiting.snapshots.current.policySet.base
  if (hook !== 'onRequest') addScopeHook(fastify, hook, createLimitHook(hook, limiting))
}

function createLimitHook (phase: Phase, { snapshots, faults, isOwnScope }: Limiting): PhaseHook {
  return function rateLimit (request: FastifyRequest, reply: FastifyReply, next: Next) {
    const snapshot = phase === 'onRequest' ? snapshots.current : snapshots.forRequest(request)
    const policy = snapshot.isEnabled && isOwnScope(request.server) ? snapshot.routes.policyAt(phase, request) : null
    if (policy === null) {
      next()
    } else if (policy === 'deferred') {
      snapshots.pinRequest(request, snapshot)
      next()
    } else if (policy instanceof Error) {
      faults.report('config', policy)
      // Set the status here too: an error handler of the application may ignore the status of the error.
      reply.code(503)
      next(new FST_SLUICE_INVALID_ROUTE({ cause: policy }))
    } else {
      snapshot.limiter.limit(policy, request, reply, next)
    }
  }
}

type PhaseHook = (request: FastifyRequest, reply: FastifyReply, next: Next) => void

/** Add a hook for every route and unknown URL of a scope. */
function addScopeHook (fastify: FastifyInstance, phase: Phase, hook: PhaseHook): void {
  switch (phase) {
    case 'onRequest': fastify.addHook('onRequest', hook); return
    case 'preParsing': fastify.addHook('preParsing', ignorePayload(hook)); return
    case 'preValidation': fastify.addHook('preValidation', hook); return
    case 'preHandler': fastify.addHook('preHandler', hook); return
    default: phase satisfies never
  }
}

/**
 * Append our hook to a route's hooks of a phase. The array is replaced, not extended: it belongs to the application, and
 * the HEAD route that Fastify derives from a GET route shares it.
 */
function appendRouteHook (route: RouteOptions, phase: Phase, hook: PhaseHook): void {
  switch (phase) {
    case 'onRequest': route.onRequest = [...toArray(route.onRequest), hook]; return
    case 'preParsing': route.preParsing = [...toArray(route.preParsing), ignorePayload(hook)]; return
    case 'preValidation': route.preValidation = [...toArray(route.preValidation), hook]; return
    case 'preHandler': route.preHandler = [...toArray(route.preHandler), hook]; return
    default: phase satisfies never
  }
}

function ignorePayload (hook: PhaseHook) {
  return (request: FastifyRequest, reply: FastifyReply, _payload: unknown, next: Next) => hook(request, reply, next)
}

function toArray<T> (hooks: T | T[] | undefined): T[] {
  return hooks === undefined ? [] : Array.isArray(hooks) ? hooks : [hooks]
}
