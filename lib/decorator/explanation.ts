import type { ExplainedOption } from '../config/layers/explain.js'
import type { Phase } from '../config/schema/policy-schema.js'
import type { UnleasedReason } from '../model/unleased-reason.js'

export type { ExplainedOption }

/*
 * The results of `fastify.rateLimit.explain`. They are plain objects without secrets, so they can be sent as JSON. A
 * function is shown as `a function`. The address of Redis is not shown.
 */

/** Whether one limit is leased: whether busy buckets of it are decided without a call to Redis. */
export interface ExplainedLease {
  /** The name of the limit. */
  readonly limit: string
  readonly isLeased: boolean
  /** `null` if it is leased. */
  readonly reason: UnleasedReason | null
}

/** The part of a policy for one tier. */
export interface ExplainedTier {
  readonly name: string
  /** Whether the tier has no limits; `options` show which layer set this. */
  readonly isUnlimited: boolean
  /** The scope of the buckets that the tier charges; `null` if it is unlimited. */
  readonly scope: string | null
  /** All options for the tier, including those that are the same for every client. */
  readonly options: readonly ExplainedOption[]
  /** One entry for each limit. */
  readonly leases: readonly ExplainedLease[]
}

/** One policy, each value with the layer that it comes from. */
export interface ExplainedPolicy {
  /** `default`, `rule:login`, or a route's own: `route:GET /login`. */
  readonly name: string
  /** The scope of its buckets: `default` for the default policy's, `rule:login`, `group:search`, `route:GET /login`. */
  readonly scope: string
  /** The phase in which requests are counted. Earlier than the option `hook` for some routes declared before the plugin. */
  readonly hook: Phase
  /** The options for clients whose tier has no options of its own. */
  readonly options: readonly ExplainedOption[]
  /** One entry for each limit of these clients. */
  readonly leases: readonly ExplainedLease[]
  readonly tiers: readonly ExplainedTier[]
}

/** The settings of a whole registration. */
export interface RegistrationExplanation {
  /** The registration's name in keys and metrics. */
  readonly name: string
  /** `false`: all requests pass uncounted. */
  readonly isEnabled: boolean
  /** The options of the plugin only. */
  readonly options: readonly ExplainedOption[]
  /** The default policy, and every rule in the order of the options. */
  readonly policies: readonly ExplainedPolicy[]
}

/**
 * How the requests of a route are treated.
 *
 * - `limited`: counted under the one policy
 * - `by request`: counted under the policy that the path of the request selects, if any
 * - `exempt`: not counted, because the route is in the list of exempt routes
 * - `off`: not counted, because an option disables the limits
 * - `misconfigured`: refused with 503
 * - `not known`: unknown to this registration; `note` gives the reason
 */
export type RouteState = 'limited' | 'by request' | 'exempt' | 'off' | 'misconfigured' | 'not known'

/** The settings of one route, or of an unknown URL. */
export interface RouteExplanation {
  /** The methods that the route was declared with, HEAD as GET: `GET`, `GET,POST`. */
  readonly method: string
  /** The route's whole pattern, such as `/api/users/:id`; of an unknown URL, the URL. */
  readonly url: string
  /** The constraints of the route as text; `null` without constraints, or where they are unknown. */
  readonly constraints: Readonly<Record<string, string>> | null
  /** `false`: the route is unknown, so the explanation is that of an unknown URL. */
  readonly isKnown: boolean
  readonly state: RouteState
  /** The option that makes it `exempt` or `off`; with `by request`, for the requests without a rule. Otherwise `null`. */
  readonly reason: ExplainedOption | null
  /** Every policy that can apply, in order of precedence. */
  readonly policies: readonly ExplainedPolicy[]
  /** A remark in one sentence, or `null`. */
  readonly note: string | null
}

/** A route by its method and its whole pattern, prefixes included. */
export interface RouteQuery {
  /** HEAD is treated as GET, unless it was declared separately. */
  readonly method: string
  readonly url: string
  /** The constraints in the route's declaration. Needed if routes with one URL differ by them. */
  readonly constraints?: Readonly<Record<string, unknown>>
}

/** `fastify.rateLimit.explain`. */
export interface Explain {
  (): RegistrationExplanation
  (route: string | RouteQuery): RouteExplanation
}
