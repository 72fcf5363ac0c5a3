import type { Client } from '../../model/client.js'
import type { Outcome } from '../../model/decision.js'
import type { Limit } from '../../stores/store.js'

/** The part of a route's config that is read. That of an unknown URL has no `url`. */
export interface RouteConfig {
  readonly url?: string
}

/** The part of a policy that is read. */
export interface RecordedPolicy {
  readonly limits: readonly Limit[]
  /** The units that a request takes; a function for those that only a request knows. */
  readonly cost: unknown
  /** The same for each limit by its index; `null` if it is `cost` for all of them. */
  readonly costs: readonly unknown[] | null
  readonly concurrency: { readonly limit: Limit, readonly usage: { readonly inFlight: number } } | null
}

/** The part of a decision that is read. */
export interface RecordedDecision {
  readonly outcome: Outcome
  readonly client: Client
  readonly policy: RecordedPolicy
}
