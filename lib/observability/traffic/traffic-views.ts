/** Decisions over the last hour, by route and tier. */
export interface Outcomes {
  /** Begin of the first step, milliseconds since 1970. */
  readonly startMs: number
  readonly stepMs: number
  /** The busiest series first. All others are added up in the last one, with the route and the tier `other`. */
  readonly series: readonly OutcomeSeries[]
}

/** Each array has one number for each step. */
export interface OutcomeSeries {
  readonly route: string
  readonly tier: string
  /** Allowed and delayed requests. */
  readonly allowed: readonly number[]
  /** Rejected and blocked requests. */
  readonly refused: readonly number[]
  /** Exempt requests, and those without an answer of the store. */
  readonly other: readonly number[]
}

/** What one limit did in the last hour. */
export interface LimitView {
  readonly bucket: string
  readonly scope: string
  /** `null` for the limits of all other clients. */
  readonly tier: string | null
  readonly name: string
  readonly mode: 'enforce' | 'shadow'
  readonly max: number
  /** `null` for a limit with a period, and for requests in flight. */
  readonly windowMs: number | null
  readonly period: string | null
  readonly isConcurrency: boolean
  /** Slots in use; `null` for limits by rate. */
  readonly inFlight: number | null
  /** Requests that it refused, or would have refused in shadow mode. */
  readonly refused: number
  /** How often it had the least left: of the enforced limits, or in shadow mode of all. An estimate. */
  readonly bound: number
  /** Requests by the share of the limit that was used after them: 0 to 10 %, ... 90 to 100 %. Estimates. */
  readonly utilisation: readonly number[]
  /** Whether `whatIf` can replay its requests. */
  readonly canSimulate: boolean
}

/** A client that uses or exceeds limits most. */
export interface TopClient {
  /** Such as `user:42`, or a hash. */
  readonly partition: string
  readonly isHashed: boolean
  /** Estimates of the last 30 to 60 minutes, never too low among the requests that were looked at. */
  readonly requests: number
  readonly refused: number
  /** Each of them is at most so much too high. */
  readonly error: number
  /** Begin of the step of its last request. */
  readonly lastAtMs: number
}

/** The last hour of a limit, replayed with another `max`. */
export interface WhatIf {
  /** The bucket of the limit. */
  readonly limit: string
  readonly max: number
  /** Sampled clients. */
  readonly clients: number
  /** Their requests, but those that other limits refused. */
  readonly requests: number
  /** The first of them, milliseconds since 1970. */
  readonly sinceMs: number
  /** Requests that are refused with `max`. */
  readonly refused: number
  /** The same with the current numbers. */
  readonly refusedNow: number
}

/** What instances have counted, together. */
export interface MergedTraffic {
  readonly outcomes: Outcomes
  readonly limits: readonly LimitView[]
  readonly clients: {
    /** Of so many requests, one is looked at. */
    readonly sampled: number
    readonly top: readonly TopClient[]
  }
}
