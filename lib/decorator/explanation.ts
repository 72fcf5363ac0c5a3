import type { ExplainedOption } from '../config/layers/explain.js'
import type { Phase } from '../config/schema/policy-schema.js'

export type { ExplainedOption }

/*
 * What `fastify.rateLimit.explain` answers: plain, so that it can be sent as JSON, and without secrets. A function is
 * shown as `a function`; where Redis is, is not shown.
 */

/** What those of one tier have. */
export interface ExplainedTier {
  readonly name: string
  /** Whether they have no limits; `options` tell who said so. */
  readonly isUnlimited: boolean
  /** Whose buckets they charge; `null` where they are unlimited. */
  readonly scope: string | null
  /** All that holds for them, also what is the same for everybody. */
  readonly options: readonly ExplainedOption[]
}

/** One policy, each value with the layer that it comes from. */
export interface ExplainedPolicy {
  /** `default`, `rule:login`, or a route's own: `route:GET /login`. */
  readonly name: string
  /** Whose buckets it charges: `default` for those of the default policy, `rule:login`, `group:search`, `route:GET /login`. */
  readonly scope: string
  /** When a request is counted. Not always the option `hook`: a route from before the plugin was loaded may be counted earlier. */
  readonly hook: Phase
  /** What holds for everybody without a tier of its own. */
  readonly options: readonly ExplainedOption[]
  readonly tiers: readonly ExplainedTier[]
}

/** What holds for a whole registration. */
export interface RegistrationExplanation {
  /** The registration's name in keys and metrics. */
  readonly name: string
  /** `false`: everything passes uncounted. */
  readonly isEnabled: boolean
  /** The options of the plugin only. */
  readonly options: readonly ExplainedOption[]
  /** The default policy, and every rule as it was written. */
  readonly policies: readonly ExplainedPolicy[]
}

/**
 * What becomes of a route's requests.
 *
 * - `limited`: they are counted under the one policy
 * - `by request`: the path of each decides which of the policies it is counted under, if any
 * - `exempt`: they pass uncounted, because of what the route is
 * - `off`: they pass uncounted, because somebody said so
 * - `misconfigured`: they are answered with 503
 * - `not known`: this registration cannot tell; `note` says why
 */
export type RouteState = 'limited' | 'by request' | 'exempt' | 'off' | 'misconfigured' | 'not known'

/** What holds for one route, or for an unknown URL. */
export interface RouteExplanation {
  /** The methods that the route was declared with, HEAD as GET: `GET`, `GET,POST`. */
  readonly method: string
  /** The route's whole pattern, such as `/api/users/:id`; of an unknown URL, the URL. */
  readonly url: string
  /** What the route asks for beside its URL, in words; `null` where nothing, or where it is not known. */
  readonly constraints: Readonly<Record<string, string>> | null
  /** `false`: no such route is known, so this is what an unknown URL gets. */
  readonly isKnown: boolean
  readonly state: RouteState
  /** The option that makes it `exempt` or `off`; with `by request`, what does so to requests that no rule is for. Else `null`. */
  readonly reason: ExplainedOption | null
  /** Every policy that may hold, the first that applies before the others. */
  readonly policies: readonly ExplainedPolicy[]
  /** What else there is to say, in a sentence; else `null`. */
  readonly note: string | null
}

/** A route by its method and its whole pattern, prefixes included. */
export interface RouteQuery {
  /** HEAD is what GET is, unless it was declared by itself. */
  readonly method: string
  readonly url: string
  /** As the route was declared with; needed where routes of one URL differ by them. */
  readonly constraints?: Readonly<Record<string, unknown>>
}

/** `fastify.rateLimit.explain`. */
export interface Explain {
  (): RegistrationExplanation
  (route: string | RouteQuery): RouteExplanation
}
