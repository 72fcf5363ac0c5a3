import type { Limit } from '../../../stores/store.js'

/** Requests, and how many of them would have been refused. */
export interface RequestCount {
  requests: number
  refused: number
}

/** What is known of a limit. */
export interface LimitTally extends RequestCount {
  /** The rule that it belongs to; `null` for the default policy. */
  readonly rule: string | null
  /** `null`: for every tier without limits of its own. */
  readonly tier: string | null
  readonly limit: Limit
  readonly index: number
}
