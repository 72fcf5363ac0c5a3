import type { Clock } from '../common/clock.js'
import { findRemaining } from '../algorithms/token-bucket.js'
import {
  findSlot, isConcurrency, isStrike, isUnavailable,
  type ActiveBlock, type Adjustment, type Answer, type Charge, type Limit, type Receipt, type Standing, type Store
} from '../stores/store.js'
import { PartitionCache } from './partition-cache.js'
import { KnownBlocks } from './known-blocks.js'

/** How long a refusal is cached at most. After that time, a reset or refund by another instance takes effect. */
const MAX_TTL_US = 1_000_000

/** The same for a limit with leases: another process may give units back at any time. */
const MAX_LEASED_TTL_US = 5000

/** A refusal that the store returned. */
interface CachedDenial {
  readonly receipt: Receipt
  readonly charges: readonly Charge[]
  /** When the result arrived. A wait that is counted from here is never too short. */
  readonly sinceUs: number
  /**
   * The end of the first wait or block: then the store would answer otherwise. Counted from the start of the call, as the
   * store decided between the two times. Counted from the arrival of a late result, it would refuse a client that waited
   * as an earlier result stated.
   */
  readonly untilUs: number
}

/**
 * Repeats refusals without a call to the store, so that an attack does not load the store. The key of a refusal is its
 * limits (a new version of a policy has new ones) and its partition. It is used only for the same costs: its wait would be
 * too short for a higher cost. Requests that charge several partitions, or have a shadow limit, always go to the store.
 * A repeated refusal is what the store would answer. Only the remaining units of a sliding window may be too few, as
 * a standing does not have the times of its entries.
 *
 * A refusal that is a strike is not cached; only the block after the strikes is. Otherwise the store would receive all
 * strikes with the first request that waited as stated, and block it.
 */
export class DenyCache implements Store {
  readonly kind: string
  readonly #store: Store
  readonly #clock: Clock
  readonly #denials = new PartitionCache<Limit, CachedDenial>()
  readonly #blocks = new KnownBlocks()
  readonly #maxTtlUs: number

  /** `maxTtlUs`: how long a refusal is cached at most; 0 caches none. */
  constructor (store: Store, clock: Clock, maxTtlUs = MAX_TTL_US) {
    this.kind = store.kind
    this.#store = store
    this.#clock = clock
    this.#maxTtlUs = maxTtlUs
  }

  take (charges: readonly Charge[]): Answer | Promise<Answer> {
    const mayCache = isCacheable(charges)
    const nowUs = this.#clock.nowUs()
    const denial = mayCache ? this.#findDenial(charges, nowUs) : null
    if (denial !== null) return denial
    const answer = this.#store.take(charges)
    return answer instanceof Promise
      ? answer.then((settled) => this.#cacheDenial(charges, settled, mayCache, nowUs))
      : this.#cacheDenial(charges, answer, mayCache, nowUs)
  }

  /**
   * The refusal of a request that a known block refuses, else `null`. Used while the store is unavailable: a block then
   * stays until its end.
   */
  findKnownBlock (charges: readonly Charge[]): Receipt | null {
    return this.#blocks.findRefusal(charges, this.#clock.nowUs())
  }

  /** The blocks that this process has received from the store, unordered. Some may have been lifted. */
  blocks (): Iterable<ActiveBlock> {
    return this.#blocks.all(this.#clock.nowUs())
  }

  /** Drop refusals: their limits belong to a set of policies that was replaced. Blocks stay. */
  clearDenials (): void {
    this.#denials.clear()
  }

  peek (limits: readonly Limit[], partition: string): readonly Standing[] | Promise<readonly Standing[]> {
    return this.#store.peek(limits, partition)
  }

  async adjust (adjustments: readonly Adjustment[]): Promise<void> {
    await this.#store.adjust(adjustments)
    for (const { standing } of adjustments) this.#denials.deletePartition(standing.partition)
  }

  async reset (limits: readonly Limit[], partition: string): Promise<number> {
    const resetCount = await this.#store.reset(limits, partition)
    this.#denials.deletePartition(partition)
    this.#blocks.deletePartition(partition)
    return resetCount
  }

  async ping (): Promise<void> {
    await this.#store.ping()
  }

  close (): void | Promise<void> {
    return this.#store.close?.()
  }

  /** All limits must be the same: the other ones may be created by a function for each request. */
  #findDenial (charges: readonly Charge[], nowUs: number): Receipt | null {
    const denial = this.#denials.get(charges[0].partition, charges[0].limit)
    if (denial === undefined || nowUs >= denial.untilUs || !isSameRequest(denial.charges, charges)) return null
    return ageDenial(denial, nowUs - denial.sinceUs)
  }

  #cacheDenial (charges: readonly Charge[], answer: Answer, mayCache: boolean, calledAtUs: number): Answer {
    if (isUnavailable(answer)) return answer
    const sinceUs = this.#clock.nowUs()
    this.#blocks.update(answer, sinceUs)
    this.#dropChanged(answer)
    const waitUs = mayCache && !answer.granted && !isRefusedForSlot(answer) ? findFirstWaitUs(answer, this.#maxTtlUs) : 0
    if (waitUs <= 0 || hasStrike(answer, charges)) return answer
    const [{ limit, partition }] = charges
    this.#denials.set(partition, limit, { receipt: answer, charges, sinceUs, untilUs: calledAtUs + waitUs })
    return answer
  }

  /** Drop the refusals of a partition that was charged, or is blocked from now on: they were of other limits or costs. */
  #dropChanged ({ standings, blocks }: Receipt): void {
    for (let i = 0; i < standings.length; i++) {
      if (standings[i].charged > 0) this.#denials.deletePartition(standings[i].partition)
    }
    for (let i = 0; i < blocks.length; i++) {
      if (blocks[i].began) this.#denials.deletePartition(blocks[i].partition)
    }
  }
}

function isCacheable (charges: readonly Charge[]): boolean {
  for (let i = 0; i < charges.length; i++) {
    if (charges[i].limit.mode === 'shadow' || charges[i].partition !== charges[0].partition) return false
  }
  return charges.length > 0
}

function hasStrike ({ blocks, standings }: Receipt, charges: readonly Charge[]): boolean {
  return blocks.length === 0 && standings.some((standing, i) => isStrike(standing, charges[i].cost))
}

/** Whether only a missing slot refuses. A slot may be free at any time. */
function isRefusedForSlot ({ blocks, standings }: Receipt): boolean {
  const isRefused = findSlot(standings)?.granted === false
  return isRefused && blocks.length === 0 && standings.every(({ limit, granted }) => granted || isConcurrency(limit))
}

/** Whether two requests charge the same limits the same units. Strikes of the second one must reach the store. */
function isSameRequest (before: readonly Charge[], charges: readonly Charge[]): boolean {
  if (before.length !== charges.length) return false
  for (let i = 0; i < charges.length; i++) {
    const { limit, cost, strikes = 0 } = charges[i]
    if (limit !== before[i].limit || cost !== before[i].cost || strikes > 0) return false
  }
  return true
}

/** The time after which the first of the limits would grant again, or the first block is over; `maxUs` at most. */
function findFirstWaitUs ({ standings }: Receipt, maxUs: number): number {
  let firstUs = maxUs
  for (const { limit, granted, retryUs, blockedUs } of standings) {
    if (!granted && retryUs !== 'never' && !isConcurrency(limit)) firstUs = Math.min(firstUs, retryUs)
    if (!granted && limit.lease) firstUs = Math.min(firstUs, MAX_LEASED_TTL_US)
    if (blockedUs > 0) firstUs = Math.min(firstUs, blockedUs)
  }
  return firstUs
}

/** The refusal after some time, or `null` if its numbers are not known exactly. */
function ageDenial ({ receipt }: CachedDenial, ageUs: number): Receipt | null {
  const standings: Standing[] = []
  for (const standing of receipt.standings) {
    const { retryUs, blockedUs } = standing
    const resetUs = Math.max(0, standing.resetUs - ageUs)
    const remaining = ageUs === 0 ? standing.remaining : ageRemaining(standing, resetUs)
    if (remaining === null) return null
    standings.push({
      ...standing,
      remaining,
      resetUs,
      retryUs: retryUs === 'never' ? 'never' : Math.max(0, retryUs - ageUs),
      blockedUs: Math.max(0, blockedUs - ageUs)
    })
  }
  return {
    granted: false,
    atUs: receipt.atUs + ageUs,
    standings,
    blocks: receipt.blocks.map((block) => ({ ...block, blockedUs: Math.max(0, block.blockedUs - ageUs), began: false }))
  }
}

/** The remaining units, which nothing was taken from since. */
function ageRemaining ({ limit, remaining }: Standing, resetUs: number): number | null {
  if (limit.algorithm === 'token-bucket') return findRemaining(limit, resetUs)
  if (isConcurrency(limit)) return remaining
  return resetUs === 0 ? limit.capacity : remaining
}
