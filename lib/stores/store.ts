import type { LeaseTerms } from '../algorithms/lease.js'
import type { PenaltyRule } from '../algorithms/penalty.js'
import type { Quota } from '../algorithms/quota.js'

/** The kind of partition that a limit charges. */
export type PartitionBy = 'client' | 'ip' | 'user' | 'global'

/** A penalty rule, and the name of its strike counters. */
export interface Penalty extends PenaltyRule {
  /** Registration and scope in one text. Together with a partition it names one strike counter. */
  readonly bucket: string
}

/** One compiled rule: at most `max` units per window for one partition. */
export interface Limit extends Quota {
  readonly name: string
  /**
   * Registration, scope and limit name in one text. Together with a partition it names one bucket.
   * Two limits with the same text share their buckets.
   */
  readonly bucket: string
  readonly by: PartitionBy
  readonly mode: 'enforce' | 'shadow'
  /** The penalty for refusals by this limit, shared by the limits of one policy. See `findPenalty`. */
  readonly penalty: Penalty | null
  /**
   * Number of reloads before this limit was created. Limits of two generations may use one bucket of a process. A request
   * of the earlier generation then does not change the numbers of the later one. Default 0.
   */
  readonly generation?: number
  /** How units of this limit are leased; `null` if each charge is decided by the store. Default `null`. */
  readonly lease?: LeaseTerms | null
  /** The slots of a limit that follows latency. They are counted by them, and no store receives the limit. Default `null`. */
  readonly room?: SlotRoom | null
}

/** Slots whose number changes, counted in this process. */
export interface SlotRoom {
  /** How many requests may be in flight now: from `min` to the `max` of the limit. */
  readonly max: number
  readonly min: number
  /** Slots that are free, 0 or more. */
  readonly left: number
  /** Whether a request may take a slot. Takes none. */
  hasSlot (): boolean
  /** Take slots, or give them back: less than 0. */
  change (count: number): void
}

/** The penalty under which refusals of a limit are strikes. `null` also for refusals that no single client causes. */
export function findPenalty ({ penalty, by, mode }: Limit): Penalty | null {
  return by === 'global' || mode === 'shadow' ? null : penalty
}

/** Whether a limit counts requests in flight: its units are slots, which no time gives back. */
export function isConcurrency ({ algorithm }: Limit): boolean {
  return algorithm === 'concurrency'
}

/** Whether units of a limit are leased. */
export function canLease ({ lease }: Limit): boolean {
  return lease !== null && lease !== undefined
}

/** The concurrency limit among charges or standings: it is the last one. `undefined` without it. */
export function findSlot<One extends { readonly limit: Limit }> (all: readonly One[]): One | undefined {
  const last = all[all.length - 1]
  return last !== undefined && isConcurrency(last.limit) ? last : undefined
}

/** Units to take from one limit's bucket of one partition. */
export interface Charge {
  readonly limit: Limit
  /** An address such as `203.0.113.9`, or for example `user:42`, `key:abc` or `global`. */
  readonly partition: string
  /** Whole units, 0 or more. */
  readonly cost: number
  /**
   * Strikes of the partition that the store has not counted yet: refusals that were decided without the store.
   * They are added under the limit's penalty before the charge is decided. Default 0.
   */
  readonly strikes?: number
}

/** A charge that shows the standing only. Shadow limits are charged by themselves. */
export function toUncharged (charge: Charge): Charge {
  return charge.limit.mode === 'enforce' ? { ...charge, cost: 0 } : charge
}

/**
 * The result of one charge: the state of its bucket after the request, whether or not the units were taken.
 * All numbers are whole, 0 or more.
 */
export interface Standing {
  /** The charge's own limit, the same object. */
  readonly limit: Limit
  readonly partition: string
  /** The group that a store charged in place of the partition, which had no room. For the `adjust` of that store. */
  readonly sharedPartition?: string
  /** Units taken from this bucket: the cost, or 0 when it was not charged. */
  readonly charged: number
  /** Time of the charge, if its clock is not the one of the receipt: see `Adjustment.atUs`. */
  readonly atUs?: number
  /** Whether this limit alone lets the request pass. False while its penalty blocks the partition. */
  readonly granted: boolean
  /** Whole units that can still be taken. */
  readonly remaining: number
  /** Time until nothing is used any more (bucket full, window over), microseconds. */
  readonly resetUs: number
  /** How long a granted request must be held until its tokens are due, microseconds. See `Limit.maxDelayUs`. */
  readonly delayUs: number
  /**
   * Time until the same charge would be granted, microseconds; 0 when granted, `'never'` where no wait helps. Also 0 for a
   * refused slot: no store knows when a request will be over.
   */
  readonly retryUs: number | 'never'
  /** How long the limit's penalty still blocks the partition, microseconds; 0 if it does not. */
  readonly blockedUs: number
  /** Set by limits with a `period`, and only by them. */
  readonly usage?: Usage
}

/** What is used of a calendar window. */
export interface Usage {
  /** Used units, whole, 0 or more. In debt, they exceed the limit. */
  readonly units: number
  /** End of the period that they count in, microseconds since 1970. */
  readonly endUs: number
}

/**
 * Whether the refusal of a limit is a strike, in a request that no block refused. It is not if no wait helps, or if the
 * cost is 0. `cost`: the requested units.
 */
export function isStrike ({ limit, granted, retryUs }: Standing, cost: number): boolean {
  return !granted && retryUs !== 'never' && cost > 0 && findPenalty(limit) !== null
}

/** A block that refused a request, or that the refusal started. */
export interface Block {
  readonly partition: string
  /** Time until the block ends, microseconds. */
  readonly blockedUs: number
  /** Whether this request added the last strike. True once per block. */
  readonly began: boolean
}

export const NO_BLOCKS: readonly Block[] = []

/** A block that is in memory. It may have been lifted in the meantime. */
export interface ActiveBlock {
  readonly partition: string
  /** The `bucket` of the penalty. */
  readonly penalty: string
  /** Time until the block ends, microseconds, more than 0. */
  readonly leftUs: number
}

/** The result of one `take`. */
export interface Receipt {
  /** Whether every enforced limit granted. Then all of them were charged. */
  readonly granted: boolean
  /** Time of the decision by the store's own clock, whole microseconds. */
  readonly atUs: number
  /** One standing for each charge, in the same order. */
  readonly standings: readonly Standing[]
  /** Each block that refuses the request, one per partition and penalty. A blocked request is charged nothing. */
  readonly blocks: readonly Block[]
}

/** How long a granted request must be held until the tokens of all enforced limits are due, microseconds. */
export function computeDelayUs ({ granted, standings }: Receipt): number {
  if (!granted) return 0
  return standings.reduce((longest, { limit, delayUs }) => limit.mode === 'enforce' ? Math.max(longest, delayUs) : longest, 0)
}

/**
 * Why a store returned no result. `deadline`: too late. `breaker`: not called, because earlier calls failed.
 * `overload`: not called, because too many calls are pending. `connection`: not reached. `error`: it failed.
 */
export type FailureReason = 'deadline' | 'breaker' | 'overload' | 'connection' | 'error'

/** The store returned no result. The failure mode of the policy applies. */
export interface Unavailable {
  readonly unavailable: FailureReason
}

/** The outcome of a `take`. A store that fails at run time is a value, not an exception. */
export type Answer = Receipt | Unavailable

export function isUnavailable (answer: Answer): answer is Unavailable {
  return 'unavailable' in answer
}

/** A change to a bucket after its request was decided. */
export interface Adjustment {
  /** The standing of the charge to correct, from a receipt of this store. */
  readonly standing: Standing
  /** The time of the standing, else of the receipt. */
  readonly atUs: number
  /** Whole units. More than 0 charges, less than 0 refunds. */
  readonly units: number
  /**
   * Refund a token bucket only if no later request was charged. Otherwise a request that stopped waiting would let a new
   * request be served together with the next one in the queue. Windows have no queue and are always refunded.
   */
  readonly onlyIfLast?: true
}

/**
 * A place for buckets: this process, Redis, or a custom store of the application (the option `store`).
 *
 * `take` charges all enforced limits or none, and each shadow limit independently of the others. A request that a
 * penalty blocks is charged nothing. A refusal by an enforced limit that is not `by: 'global'` is a strike, at most one
 * per request and partition. It is no strike if the cost is 0, or if no wait helps.
 * `take` may return its result in the same turn or as a promise. The store's own clock decides: callers pass no time.
 *
 * A custom store may throw, reject, return an invalid result or never return. The failure mode then applies. The cases
 * of `fastify-sluice/store-contract` check that a store does everything that is documented here.
 */
export interface Store {
  /** The store's name in metrics, logs and health reports, such as `memory`. At most 64 letters, digits, `.`, `_` and `-`. */
  readonly kind: string
  /**
   * Whether the store counts requests in flight: limits with the algorithm `concurrency`. Without it, the plugin counts
   * them in each process, and `take` receives no such limit.
   *
   * A request has at most one charge of such a limit, and it is the last one. The store grants it while `max` has room,
   * together with the other charges or not at all. An adjustment by a negative number of units gives the slots back.
   */
  readonly countsInFlight?: true
  /** Decide a request, and charge it if it is granted. The plugin waits for a promise until the deadline. */
  take (charges: readonly Charge[]): Answer | Promise<Answer>
  /** Return the standings for a cost of 0, one for each limit, in order. Changes nothing. */
  peek (limits: readonly Limit[], partition: string): readonly Standing[] | Promise<readonly Standing[]>
  /** Correct buckets after the request. A refund counts only while its charge still counts. */
  adjust (adjustments: readonly Adjustment[]): void | Promise<void>
  /** Delete the buckets and penalties of a partition under these limits. Returns how many there were. */
  reset (limits: readonly Limit[], partition: string): number | Promise<number>
  /** Check that the store responds. Rejects if it does not. */
  ping (): void | Promise<void>
  /** Release all resources. The creator of the store calls it: the plugin never closes a custom store. */
  close? (): void | Promise<void>
}
