// What is promised for each policy under load, in plain numbers. The checker reads these from the history: it knows nothing of lib.

/** What one limit promises. Times in microseconds. */
export interface LimitPromise {
  readonly name: string
  readonly algorithm: 'token-bucket' | 'sliding-window' | 'fixed-window'
  readonly max: number
  readonly windowUs: number
  readonly burst: number
  /** Whether all clients share one bucket. */
  readonly isShared?: boolean
  /** How long a leased unit may be away from its bucket; 0 without leases. */
  readonly leaseUs?: number
  /** How long a request may be held. */
  readonly maxDelayUs?: number
  /** The smallest values that a reload sets. `max` and `burst` are then the sums of all versions. */
  readonly least?: { readonly max: number, readonly burst: number }
}

export interface PenaltyPromise {
  readonly strikes: number
  readonly withinUs: number
  readonly maxCooldownUs: number
}

export interface PolicyPromise {
  readonly name: string
  readonly failureMode: 'local' | 'open' | 'closed'
  readonly limits: readonly LimitPromise[]
  readonly penalty?: PenaltyPromise
}

/** What is promised about time, for all policies. Microseconds. */
export interface TimePromise {
  readonly deadlineUs: number
  /** The longest time from the end of a fault until the store decides again. */
  readonly backUs: number
  /** The longest time until an instance gives up a connection without replies. */
  readonly silenceUs: number
}

/** The first line of a history. */
export interface HistoryHeader {
  readonly seed: number
  readonly topology: Topology
  /** Instances at a time. An instance that is started in place of number i has the number i + slots. */
  readonly slots: number
  readonly policies: readonly PolicyPromise[]
  readonly times: TimePromise
}

export type Topology = 'single' | 'sentinel' | 'cluster'
