import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Next } from './hook.js'
import type { Phase } from './policies/policy.js'

type PhaseHook = (request: FastifyRequest, reply: FastifyReply, next: Next) => void

/** Add a hook for every route and unknown URL of a scope. */
export function addScopeHook (fastify: FastifyInstance, phase: Phase, hook: PhaseHook): void {
  switch (phase) {
    case 'onRequest': fastify.addHook('onRequest', hook); return
    case 'preParsing': fastify.addHook('preParsing', afterPayload(hook)); return
    case 'preValidation': fastify.addHook('preValidation', hook); return
    case 'preHandler': fastify.addHook('preHandler', hook); return
    default: phase satisfies never
  }
}

/**
 * Let one route's hooks of a phase end in ours. The array is replaced, never pushed into: it is the user's own, and
 * the HEAD route that Fastify derives from a GET route shares it.
 */
export function appendRouteHook (route: RouteOptions, phase: Phase, hook: PhaseHook): void {
  switch (phase) {
    case 'onRequest': route.onRequest = [...listed(route.onRequest), hook]; return
    case 'preParsing': route.preParsing = [...listed(route.preParsing), afterPayload(hook)]; return
    case 'preValidation': route.preValidation = [...listed(route.preValidation), hook]; return
    case 'preHandler': route.preHandler = [...listed(route.preHandler), hook]; return
    default: phase satisfies never
  }
}

function afterPayload (hook: PhaseHook) {
  return (request: FastifyRequest, reply: FastifyReply, _payload: unknown, next: Next) => hook(request, reply, next)
}

function listed<T> (hooks: T | T[] | undefined): T[] {
  return hooks === undefined ? [] : Array.isArray(hooks) ? hooks : [hooks]
}
