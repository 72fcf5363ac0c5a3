import type { FastifyRequest } from 'fastify'
import type { RouteRateLimit } from '../config/schema.js'
import type { Limit } from '../stores/store.js'
import type { Decision } from './decision.js'

export type Phase = NonNullable<RouteRateLimit['hook']>

export type Observer = (request: FastifyRequest, decision: Decision) => void

/** What a route does, compiled: nothing of it is worked out again per request. */
export interface Policy {
  /** Whose buckets these are, such as `default`, `group:search` or `route:GET /login`. */
  readonly scope: string
  readonly limits: readonly Limit[]
  /** Whether some limit may refuse, so that headers are due. */
  readonly isEnforced: boolean
  readonly cost: number | ((request: FastifyRequest) => number)
  readonly hook: Phase
  /** What holds while the store cannot answer: the same limits in this process's memory, nothing, or a refusal. */
  readonly failureMode: NonNullable<RouteRateLimit['failureMode']>
  readonly keyGenerator: ((request: FastifyRequest) => string | Promise<string>) | null
  readonly errorResponseBuilder: ((request: FastifyRequest, decision: Decision) => object | Error) | null
  readonly onExceeding: Observer | null
  readonly onExceeded: Observer | null
  /** The value of the `RateLimit-Policy` field, which depends on nothing but the limits. */
  readonly policyField: string
}
