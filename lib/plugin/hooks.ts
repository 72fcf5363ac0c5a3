import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { FaultLog } from '../common/log.js'
import type { Phase } from '../config/schema/policy-schema.js'
import { FST_SLUICE_INVALID_ROUTE } from '../errors.js'
import type { LaterHook } from '../policies/route-table.js'
import { findDeferred } from '../request/deferred-request.js'
import type { Next } from '../request/limiter-context.js'
import type { UnroutedPaths } from '../routes/unrouted-paths.js'
import type { SnapshotHolder } from '../runtime/snapshot.js'

/** State shared by the hooks of one registration. */
export interface Limiting {
  readonly snapshots: SnapshotHolder
  readonly faults: FaultLog
  readonly unrouted: UnroutedPaths
  /** Whether this registration is the innermost one around a scope. Only that one limits the scope's requests. */
  readonly isOwnScope: (scope: FastifyInstance) => boolean
}

/** Compile the policy of each route when it is declared. Attach a hook if it limits in a later phase. */
export function compileRoutes (fastify: FastifyInstance, { snapshots, isOwnScope }: Limiting): void {
  fastify.addHook('onRoute', function compileRoute (route: RouteOptions) {
    if (!isOwnScope(this)) return
    const { phases } = snapshots.current.routes.declare(route)
    for (const phase of phases) {
      if (phase !== 'onRequest') appendRouteHook(route, phase, createLaterHook(phase, 'route'))
    }
    if (phases.size > 1) route.onSend = [...toArray(route.onSend), endEarly]
  })
}

/** Limit every request of a scope, including unknown URLs and routes declared before the plugin was loaded. */
export function limitRequests (fastify: FastifyInstance, limiting: Limiting): void {
  addScopeHook(fastify, 'onRequest', createFirstHook(limiting))
  const { hook } = limiting.snapshots.current.policySet.base
  if (hook === 'onRequest') return
  addScopeHook(fastify, hook, createLaterHook(hook, 'scope'))
  fastify.addHook('onSend', endEarly)
}

/** Selects the policy of a request, and applies it unless a later hook does. */
function createFirstHook ({ snapshots, faults, unrouted, isOwnScope }: Limiting): PhaseHook {
  return function rateLimit (request: FastifyRequest, reply: FastifyReply, next: Next) {
    const snapshot = snapshots.current
    const policy = snapshot.isEnabled && isOwnScope(request.server) ? snapshot.routes.findPolicy(request) : null
    if (policy === null) {
      unrouted.answer(request, reply, next)
    } else if (policy instanceof Error) {
      faults.report('config', policy)
      // Set the status here too: an error handler of the application may ignore the status of the error.
      reply.code(503)
      next(new FST_SLUICE_INVALID_ROUTE({ cause: policy }))
    } else {
      const laterHook = snapshot.routes.findLaterHook(policy, request)
      if (laterHook === null) snapshot.limiter.limit(policy, request, reply, next)
      else snapshot.limiter.defer(policy, laterHook, reply, next)
    }
  }
}

/**
 * Applies the policy that the first hook selected for this phase. So `callNotFound` in a route does not make its request
 * one to an unknown URL, and a copy of a route is limited once.
 */
function createLaterHook (phase: Phase, place: LaterHook): PhaseHook {
  return function rateLimit (request: FastifyRequest, _reply: FastifyReply, next: Next) {
    const deferred = findDeferred(request)
    if (deferred?.policy.hook === phase && deferred.place === place) deferred.limit(next)
    else next()
  }
}

/** Charges a request whose response is sent before the hook of its policy, or sends a refusal instead. */
function endEarly (
  request: FastifyRequest, _reply: FastifyReply, payload: unknown, next: (error: Error | null, payload?: unknown) => void
): void {
  const deferred = findDeferred(request)
  if (deferred === null) next(null, payload)
  else deferred.end({ payload, pass: (error) => { next(error ?? null, payload) } })
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
