import type { CostFunction, DecisionCallback, ErrorResponseBuilder, KeyGenerator } from '../config/schema/functions.js'
import type { Phase, RouteRateLimit } from '../config/schema/policy-schema.js'
import type { UnleasedReason } from '../model/unleased-reason.js'
import type { LineLimits, SlotUsage } from '../concurrency/slot-usage.js'
import type { Limit } from '../stores/store.js'
import type { DynamicLimit } from './dynamic-limit.js'
import type { StatusSet } from './status-set.js'

/** The maximum number of held requests: in total, and per client. */
export interface Throttle {
  readonly maxQueued: number
  readonly maxQueuedPerClient: number
}

/** Limits that are enforced for a share of the partitions, and run in shadow mode for the others. */
export interface Rollout {
  /** The share of partitions with enforced limits, from 0 to 1. */
  readonly share: number
  /** The same policy with every limit in shadow mode, in buckets of its own. */
  readonly shadow: Policy
}

/** Requests of one partition that may be in flight. */
export interface Concurrency {
  /** Its units are slots. Charged as the last limit of a request. */
  readonly limit: Limit
  /** The scope of its slots, which is that of the options that gave it; with the tier, if it belongs to one. */
  readonly scope: string
  readonly usage: SlotUsage
  /** How requests wait for a slot; `null` if they are refused at once. */
  readonly queue: LineLimits | null
}

/** The compiled policy of a route. Everything that does not depend on the request is computed in advance. */
export interface Policy {
  /** The scope of the buckets, such as `default`, `group:search`, `rule:reports` or `route:GET /login`. */
  readonly scope: string
  /** The place of its options, for messages. */
  readonly place: string
  /** If a function computes a limit, this list has the limit for the case that the function fails. */
  readonly limits: readonly Limit[]
  /** Why each limit is not leased, by its index in `limits`; `null` for a leased one. */
  readonly unleased: ReadonlyArray<UnleasedReason | null>
  /** Set in the common case: one limit, `by: 'client'`, without a period, not computed by a function. Otherwise `null`. */
  readonly single: Limit | null
  /** The same limits for a request that may be held until it is due; `null` without `throttle`. */
  readonly delayableLimits: readonly Limit[] | null
  /** The limits that depend on the request, by their index in `limits`; `null` without such limits. */
  readonly dynamicLimits: ReadonlyArray<DynamicLimit | null> | null
  /** The policies of tiers with limits of their own; a tier's value is `null` if it is unlimited. `null` without such tiers. */
  readonly tiers: ReadonlyMap<string, Policy | null> | null
  /** The policy that this one is a tier or a shadow of. */
  readonly parent: Policy | null
  /** `null` if limits are enforced for every client, or for no client. */
  readonly rollout: Rollout | null
  /** Whether any limit may refuse. Only then headers are written. */
  readonly isEnforced: boolean
  /** Whether any limit has a period of the calendar. */
  readonly hasPeriods: boolean
  /** Whether any limit is in shadow mode. */
  readonly hasShadowLimits: boolean
  readonly throttle: Throttle | null
  /** `null` without a limit of requests in flight. */
  readonly concurrency: Concurrency | null
  /** Whether requests may wait for a slot, under this policy or one of its tiers. */
  readonly mayQueue: boolean
  /** The units that a request takes from each limit, unless `costs` differ. */
  readonly cost: number | CostFunction
  /** The units that a request takes from each limit, by its index in `limits`; `null` if these are `cost` for all of them. */
  readonly costs: ReadonlyArray<number | CostFunction> | null
  /** Names of the limits whose units are refunded if the request was not settled when its response ended; `null` without any. */
  readonly refundsUnsettled: ReadonlySet<string> | null
  /** Statuses of responses whose units are refunded; `null` without refunds. */
  readonly refundOn: StatusSet | null
  readonly hook: Phase
  /** What happens while the store fails: the limits are counted in local memory, not applied, or requests are refused. */
  readonly failureMode: NonNullable<RouteRateLimit['failureMode']>
  readonly keyGenerator: KeyGenerator | null
  readonly errorResponseBuilder: ErrorResponseBuilder | null
  readonly onExceeding: DecisionCallback | null
  readonly onExceeded: DecisionCallback | null
  readonly onBlocked: DecisionCallback | null
  /** The value of the `RateLimit-Policy` field; `null` if it depends on the request. */
  readonly policyField: string | null
}
