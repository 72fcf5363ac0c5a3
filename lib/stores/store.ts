import type { Quota } from '../algorithms/quota.js'

/** Which partition a limit charges. */
export type PartitionBy = 'client' | 'ip' | 'global'

/** One compiled rule: at most `max` units per window for one partition. */
export interface Limit extends Quota {
  readonly name: string
  /**
   * Registration, scope and limit name in one text. Together with a partition it names one bucket:
   * two limits with the same text share their buckets.
   */
  readonly bucket: string
  readonly by: PartitionBy
  readonly mode: 'enforce' | 'shadow'
}

/** Units to take from one limit's bucket of one partition. */
export interface Charge {
  readonly limit: Limit
  /** Such as `203.0.113.9`, `key:abc` or `global`. */
  readonly partition: string
  /** Whole units, 0 or more. */
  readonly cost: number
}

/** What one charge met: where its bucket stands after the request, whether or not the units were taken. */
export interface Standing {
  readonly limit: Limit
  readonly partition: string
  /** The units taken from this bucket: the cost, or 0 when it was not charged. */
  readonly charged: number
  /** Whether this limit, taken by itself, lets the request pass. */
  readonly granted: boolean
  readonly remaining: number
  /** Until nothing is used any more (bucket full, window over), microseconds. */
  readonly resetUs: number
  /** Until the same charge would be granted, microseconds; 0 when granted, `'never'` where no wait helps. */
  readonly retryUs: number | 'never'
}

/** A store's answer to one `take`. */
export interface Receipt {
  /** Whether every enforced limit granted, so that all of them were charged. */
  readonly granted: boolean
  /** The store's own time of the decision, microseconds. */
  readonly atUs: number
  /** One for each charge, in the same order. */
  readonly standings: readonly Standing[]
}

/** Why a store could not answer. */
export type FailureReason = 'deadline' | 'breaker' | 'overload' | 'connection' | 'error'

/** No answer: the failure mode of the policy applies. */
export interface Unavailable {
  readonly unavailable: FailureReason
}

/** What a `take` comes to: a store that fails at run time is a value, not an exception. */
export type Answer = Receipt | Unavailable

export function isUnavailable (answer: Answer): answer is Unavailable {
  return 'unavailable' in answer
}

/** A change to a bucket after its request was decided. */
export interface Adjustment {
  /** The standing of the charge that is corrected, from a receipt of this store. */
  readonly standing: Standing
  /** The receipt's time. */
  readonly atUs: number
  /** Whole units: more than 0 charges, less than 0 gives back. */
  readonly units: number
}

/**
 * Where buckets live.
 *
 * `take` charges enforced limits all or none, and each shadow limit by itself, whatever the others say.
 * It may answer in the same turn or with a promise. The store's own clock decides; callers pass no time.
 */
export interface Store {
  /** Such as `memory`. */
  readonly kind: string
  take (charges: readonly Charge[]): Answer | Promise<Answer>
  /** The standings that a charge of 0 units would meet. Changes nothing. */
  peek (limits: readonly Limit[], partition: string): readonly Standing[] | Promise<readonly Standing[]>
  /** Correct buckets after the fact. A refund counts only while its charge still does. */
  adjust (adjustments: readonly Adjustment[]): void | Promise<void>
  /** Forget what a partition used of these limits. Answers how many buckets there were. */
  reset (limits: readonly Limit[], partition: string): number | Promise<number>
  /** Whether the store answers at all; rejects where it does not. */
  ping (): void | Promise<void>
  close (): void | Promise<void>
}

/** A call under watch. */
export interface WatchedCall {
  /** Say how it ended. Only the first word counts, and none after it expired. */
  settle (isSuccess: boolean): void
}

/** Says whether a store may make a call now, and gives up one that takes too long. */
export interface CallWatch {
  /** `null` when no call may be made. Otherwise `onExpire` is called once, unless the call is settled in time. */
  begin (onExpire: () => void): WatchedCall | null
  close (): void
}
