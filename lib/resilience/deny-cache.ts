import type { Clock } from '../common/clock.js'
import {
  isStrike, isUnavailable,
  type ActiveBlock, type Adjustment, type Answer, type Charge, type Limit, type Receipt, type Standing, type Store
} from '../stores/store.js'
import { PartitionCache } from './partition-cache.js'
import { KnownBlocks } from './known-blocks.js'

/** How long a refusal is cached at most. After that time, a reset or refund by another instance takes effect. */
const MAX_TTL_US = 1_000_000

/** A refusal that the store returned. */
interface CachedDenial {
  readonly receipt: Receipt
  readonly cost: number
  /** When the result arrived. A wait that is counted from here is never too short. */
  readonly sinceUs: number
  /**
   * The end of the wait, counted from the start of the call: the store decided between the two times. Counted from the
   * arrival of a late result, it would refuse a client that waited as an earlier result stated.
   */
  readonly untilUs: number
}

/**
 * Repeats refusals without a call to the store, so that an attack does not load the store. The key of a refusal is its
 * limits (a new version of a policy has new ones) and its partition. It is used only for the same cost: its wait would be
 * too short for a higher cost. Requests that charge several partitions, or have a shadow limit, always go to the store.
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

  constructor (store: Store, clock: Clock) {
    this.kind = store.kind
    this.#store = store
    this.#clock = clock
  }

  take (charges: readonly Charge[]): Answer | Promise<Answer> {
    const mayCache = isCacheable(charges)
    const denial = mayCache ? this.#findDenial(charges) : undefined
    const nowUs = this.#clock.nowUs()
    if (denial !== undefined && charges[0].cost === denial.cost && nowUs < denial.untilUs) {
      return ageDenial(denial, nowUs - denial.sinceUs)
    }
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
  #findDenial (charges: readonly Charge[]): CachedDenial | undefined {
    const denial = this.#denials.get(charges[0].partition, charges[0].limit)
    return denial?.receipt.standings.every(({ limit }, i) => limit === charges[i]?.limit) === true ? denial : undefined
  }

  #cacheDenial (charges: readonly Charge[], answer: Answer, mayCache: boolean, calledAtUs: number): Answer {
    if (isUnavailable(answer)) return answer
    const sinceUs = this.#clock.nowUs()
    this.#blocks.update(answer, sinceUs)
    const waitUs = mayCache && !answer.granted ? findMaxWaitUs(answer) : 0
    if (waitUs <= 0 || hasStrike(answer, charges)) return answer
    const [{ limit, partition, cost }] = charges
    this.#denials.set(partition, limit, { receipt: answer, cost, sinceUs, untilUs: calledAtUs + Math.min(waitUs, MAX_TTL_US) })
    return answer
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

/** The wait after which the whole request may pass; `Infinity` if no wait helps. */
function findMaxWaitUs ({ standings }: Receipt): number {
  return standings.reduce((longest, { retryUs }) => Math.max(longest, retryUs === 'never' ? Infinity : retryUs), 0)
}

/** The refusal after some time: waits and resets are shorter by that time. */
function ageDenial ({ receipt }: CachedDenial, ageUs: number): Receipt {
  return {
    granted: false,
    atUs: receipt.atUs + ageUs,
    standings: receipt.standings.map((standing) => ({
      ...standing,
      resetUs: Math.max(0, standing.resetUs - ageUs),
      retryUs: standing.retryUs === 'never' ? 'never' : Math.max(0, standing.retryUs - ageUs),
      blockedUs: Math.max(0, standing.blockedUs - ageUs)
    })),
    blocks: receipt.blocks.map((block) => ({ ...block, blockedUs: Math.max(0, block.blockedUs - ageUs), began: false }))
  }
}
