import type { PenaltyRule } from '../algorithms/penalty.js'
import type { Quota } from '../algorithms/quota.js'

/** Which partition a limit charges. */
export type PartitionBy = 'client' | 'ip' | 'user' | 'global'

/** A penalty rule, and whose strikes it counts. */
export interface Penalty extends PenaltyRule {
  /** Registration and scope in one text. Together with a partition it names one count of strikes. */
  readonly bucket: string
}

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
  /** What refusals by this limit earn; the limits of one policy share it. See `findPenalty`. */
  readonly penalty: Penalty | null
  /**
   * How many reloads came before. Where limits of two generations meet in one bucket of a process, a request that is still
   * under the earlier one leaves the later one's numbers as they are. Default 0.
   */
  readonly generation?: number
}

/** The penalty under which a limit's refusals are strikes; `null` also for what no client can be blamed for. */
export function findPenalty ({ penalty, by, mode }: Limit): Penalty | null {
  return by === 'global' || mode === 'shadow' ? null : penalty
}

/** Units to take from one limit's bucket of one partition. */
export interface Charge {
  readonly limit: Limit
  /** Such as `203.0.113.9`, `key:abc` or `global`. */
  readonly partition: string
  /** Whole units, 0 or more. */
  readonly cost: number
  /**
   * Strikes of the partition under the limit's penalty that the store has not heard of: refusals that were answered
   * without it. Counted before the charge is decided. Default 0.
   */
  readonly strikes?: number
}

/**
 * What one charge met: where its bucket stands after the request, whether or not the units were taken. All numbers are
 * whole, 0 or more.
 */
export interface Standing {
  /** The charge's own limit, the same object. */
  readonly limit: Limit
  readonly partition: string
  /** The units taken from this bucket: the cost, or 0 when it was not charged. */
  readonly charged: number
  /** When it was taken from, where that is another clock's time than the receipt's: see `Adjustment.atUs`. */
  readonly atUs?: number
  /** Whether this limit, taken by itself, lets the request pass; not while its penalty blocks the partition. */
  readonly granted: boolean
  /** Whole units that could still be taken. */
  readonly remaining: number
  /** Until nothing is used any more (bucket full, window over), microseconds. */
  readonly resetUs: number
  /** How long a granted request is to be held until its tokens are due, microseconds; see `Limit.maxDelayUs`. */
  readonly delayUs: number
  /** Until the same charge would be granted, microseconds; 0 when granted, `'never'` where no wait helps. */
  readonly retryUs: number | 'never'
  /** How long the limit's penalty still blocks the partition, microseconds; 0 where it does not. */
  readonly blockedUs: number
}

/**
 * Whether a limit's refusal is a strike, in a request that no block refused: not one that no wait helps, nor one of
 * nothing. `cost`: what was asked for, units.
 */
export function isStrike ({ limit, granted, retryUs }: Standing, cost: number): boolean {
  return !granted && retryUs !== 'never' && cost > 0 && findPenalty(limit) !== null
}

/** A penalty that refused a request, or that its refusal began. */
export interface Block {
  readonly partition: string
  /** Until it ends, microseconds. */
  readonly blockedUs: number
  /** Whether this request earned the last strike: true once per block. */
  readonly began: boolean
}

export const NO_BLOCKS: readonly Block[] = []

/** A block that is remembered; it may have been lifted since. */
export interface ActiveBlock {
  readonly partition: string
  /** The `bucket` of the penalty. */
  readonly penalty: string
  /** Until it ends, microseconds, more than 0. */
  readonly leftUs: number
}

/** A store's answer to one `take`. */
export interface Receipt {
  /** Whether every enforced limit granted, so that all of them were charged. */
  readonly granted: boolean
  /** The store's own time of the decision, whole microseconds. */
  readonly atUs: number
  /** One for each charge, in the same order. */
  readonly standings: readonly Standing[]
  /** Each block that refuses the request, one per partition and penalty; nothing is charged to anybody then. */
  readonly blocks: readonly Block[]
}

/** How long a granted request is to be held: until its enforced limits' tokens are all due, microseconds. */
export function computeDelayUs ({ granted, standings }: Receipt): number {
  if (!granted) return 0
  return standings.reduce((longest, { limit, delayUs }) => limit.mode === 'enforce' ? Math.max(longest, delayUs) : longest, 0)
}

/** Why a store could not answer: too late, not asked for its failures, not asked for want of room, not reached, or it failed. */
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
  /** The standing's time, else the receipt's. */
  readonly atUs: number
  /** Whole units: more than 0 charges, less than 0 gives back. */
  readonly units: number
  /**
   * Give a token bucket's units back only where nobody was charged after this one: a request that gave up waiting would
   * else let a newcomer be served beside the next in line. Windows have no line, and take units back as always.
   */
  readonly onlyIfLast?: true
}

/**
 * Where buckets live: in this process, in Redis, or where an application's own store keeps them (the option `store`).
 *
 * `take` charges enforced limits all or none, and each shadow limit by itself, whatever the others say. A request that a
 * penalty blocks is charged nothing at all. A refusal by an enforced limit of the client's own is a strike, one a
 * request and partition, unless it asked for nothing (cost 0) or no wait would help.
 * It may answer in the same turn or with a promise. The store's own clock decides; callers pass no time.
 *
 * A custom store may throw and reject, answer nonsense or never: the failure mode then applies. The cases of
 * `fastify-sluice/store-contract` tell whether one does all that is said here.
 */
export interface Store {
  /** Such as `memory`: its name in metrics, logs and health reports, at most 64 letters, digits, `.`, `_` and `-`. */
  readonly kind: string
  /** Decide a request, and charge it where it is granted. A promise is waited for until the deadline. */
  take (charges: readonly Charge[]): Answer | Promise<Answer>
  /** The standings that a charge of 0 units would meet, one for each limit, in order. Changes nothing. */
  peek (limits: readonly Limit[], partition: string): readonly Standing[] | Promise<readonly Standing[]>
  /** Correct buckets after the fact. A refund counts only while its charge still does. */
  adjust (adjustments: readonly Adjustment[]): void | Promise<void>
  /** Forget what a partition used of these limits, and its penalties. Answers how many of either there were. */
  reset (limits: readonly Limit[], partition: string): number | Promise<number>
  /** Whether the store answers at all; rejects where it does not. */
  ping (): void | Promise<void>
  /** Let go of what it holds. Called by whoever made the store: the plugin never closes one that it was given. */
  close? (): void | Promise<void>
}
