import type { MergedTraffic } from '../../observability/traffic/traffic-views.js'
import type { LastReload } from '../../runtime/reloader.js'

/*
 * What the operator page shows: the response of `GET /page/data`. Times are milliseconds since 1970.
 */

export interface PageState extends MergedTraffic {
  readonly atMs: number
  readonly registration: string
  /** Of the operator routes, with the prefix of the registration. */
  readonly prefix: string
  /** Whether the routes that change something are mounted. */
  readonly canWrite: boolean
  /** The id of the instance that answers. */
  readonly self: string
  readonly fleet: FleetState
  readonly instances: readonly InstanceState[]
  readonly blocked: ReadonlyArray<{ readonly partition: string, readonly scope: string, readonly remainingMs: number }>
  /** Another number than before: the policies of this instance have changed. `GET /policies` has them: there may be many. */
  readonly policiesVersion: number
}

export interface FleetState {
  /** Whether instances show each other: with Redis. */
  readonly isShared: boolean
  /** The code why the others are missing now, such as `CONNECTION`; `null` if they are not. */
  readonly problem: string | null
  /** Summaries in Redis that are damaged, or of another version. */
  readonly skipped: number
}

export interface InstanceState {
  /** `host:pid:random`. */
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly version: string
  readonly startedAtMs: number
  /** When its summary was made. */
  readonly seenAtMs: number
  readonly enabled: boolean
  /** Whether the settings enable limits, without the switch of an operator. */
  readonly configured: boolean
  readonly store: StoreState
  readonly reload: LastReload | null
}

export interface StoreState {
  readonly kind: string
  /** `null` if it is unknown. */
  readonly isReachable: boolean | null
  /** `null` for a store that needs no breaker. */
  readonly breaker: 'closed' | 'open' | 'half-open' | null
  /** Of calls to the store in the last minutes; `null` without any. */
  readonly latencyMs: { readonly p50: number, readonly p99: number } | null
  /** Failed calls since the start. */
  readonly errors: number
  /** Requests since the start that the failure mode decided. */
  readonly fallbacks: number
}
