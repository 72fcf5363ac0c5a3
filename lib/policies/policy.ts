import type { FastifyRequest } from 'fastify'
import type { Phase, RouteRateLimit } from '../config/schema/policy-schema.js'
import type { Limit } from '../stores/store.js'
import type { Decision } from '../model/decision.js'
import type { DynamicLimit } from './dynamic-limit.js'
import type { StatusSet } from './status-set.js'

export type DecisionCallback = (request: FastifyRequest, decision: Decision) => void

/** How many requests may be held at once. */
export interface Throttle {
  readonly maxQueued: number
  readonly maxQueuedPerClient: number
}

/** A policy whose limits are enforced for some clients, and only tried for the others. */
export interface Rollout {
  /** The share of partitions for which they are enforced, from 0 to 1. */
  readonly share: number
  /** The same policy with every limit in shadow mode, in buckets of its own. */
  readonly shadow: Policy
}

/** What a route does, compiled: nothing of it is worked out again per request. */
export interface Policy {
  /** Whose buckets these are, such as `default`, `group:search`, `rule:reports` or `route:GET /login`. */
  readonly scope: string
  /** Where it is written, for messages. */
  readonly place: string
  /** Where a function makes a limit, it stands here with what holds when the function fails. */
  readonly limits: readonly Limit[]
  /** The limit, where there is the one, charged to the client whatever it is, and no function makes it; as most are. */
  readonly single: Limit | null
  /** The same limits for a request that may be held until it is due; `null` without `throttle`. */
  readonly delayableLimits: readonly Limit[] | null
  /** Makers of the limits that depend on the request, by their index; `null` where none does. */
  readonly dynamicLimits: ReadonlyArray<DynamicLimit | null> | null
  /** The policies of tiers with limits of their own, `null` for unlimited ones; `null` where there are no such tiers. */
  readonly tiers: ReadonlyMap<string, Policy | null> | null
  /** The policy that this one is a tier or a trial of. */
  readonly parent: Policy | null
  /** `null` where limits are enforced for every client, or for none. */
  readonly rollout: Rollout | null
  /** Whether some limit may refuse, so that headers are due. */
  readonly isEnforced: boolean
  /** Whether some limit is in shadow mode. */
  readonly hasShadowLimits: boolean
  readonly throttle: Throttle | null
  readonly cost: number | ((request: FastifyRequest) => number)
  /** Statuses of responses that cost nothing after all; `null` where each costs what it costs. */
  readonly refundOn: StatusSet | null
  readonly hook: Phase
  /** What holds while the store cannot answer: the same limits in this process's memory, nothing, or a refusal. */
  readonly failureMode: NonNullable<RouteRateLimit['failureMode']>
  readonly keyGenerator: ((request: FastifyRequest) => string | Promise<string>) | null
  readonly errorResponseBuilder: ((request: FastifyRequest, decision: Decision) => object | Error) | null
  readonly onExceeding: DecisionCallback | null
  readonly onExceeded: DecisionCallback | null
  readonly onBlocked: DecisionCallback | null
  /** The value of the `RateLimit-Policy` field; `null` where it depends on the request. */
  readonly policyField: string | null
}
