import type { Clock } from '../common/clock.js'
import { isStrike, isUnavailable, type Adjustment, type Answer, type Charge, type ActiveBlock, type Limit, type Receipt, type Standing, type Store } from '../stores/store.js'
import { PartitionCache } from './partition-cache.js'
import { KnownBlocks } from './known-blocks.js'

/** Longest time for which a refusal is believed without asking: another instance's reset or refund takes hold then. */
const MAX_TTL_US = 1_000_000

/** A refusal as the store gave it. */
interface CachedDenial {
  readonly receipt: Receipt
  readonly cost: number
  /** When the answer came: waits told from here on are never too short. */
  readonly sinceUs: number
  /**
   * The end of the wait, counted from when the store was asked: it decided at some time between the two. An answer that
   * was read late would else refuse whoever an earlier answer told of the same wait.
   */
  readonly untilUs: number
}

/**
 * Answers clients that were refused without asking the store again, so that an attack costs it nothing. A refusal is
 * known by the limits (a new version of a policy has new ones) and the partition, and holds for what costs the same: its
 * wait would be too short for what costs more. Requests that charge several partitions, or try a limit in shadow mode,
 * always go to the store.
 *
 * A refusal that is a strike is not remembered, only the block that strikes lead to: else the store would hear of them
 * with the one request that waited as it was told, and block it.
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
    if (denial !== undefined && charges[0].cost === denial.cost && nowUs < denial.untilUs) return aged(denial, nowUs - denial.sinceUs)
    const answer = this.#store.take(charges)
    return answer instanceof Promise
      ? answer.then((settled) => this.#cacheDenial(charges, settled, mayCache, nowUs))
      : this.#cacheDenial(charges, answer, mayCache, nowUs)
  }

  /**
   * The refusal of a request that a block stands against, as far as the store told of one; else `null`. For the time in
   * which the store cannot be asked: a block then holds to its end.
   */
  findKnownBlock (charges: readonly Charge[]): Receipt | null {
    return this.#blocks.findRefusal(charges, this.#clock.nowUs())
  }

  /** The blocks that the store told of to this process, in no order; some may have been lifted. */
  blocks (): Iterable<ActiveBlock> {
    return this.#blocks.all(this.#clock.nowUs())
  }

  /** Forget refusals: their limits are those of a set of policies that has gone. Blocks stay. */
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

  /** Of the same limits throughout: the first may stand beside one whose numbers a function makes for each request. */
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

/** The wait after which the whole request may pass; a request that no wait helps is refused for good. */
function findMaxWaitUs ({ standings }: Receipt): number {
  return standings.reduce((longest, { retryUs }) => Math.max(longest, retryUs === 'never' ? Infinity : retryUs), 0)
}

/** The refusal as it stands some time later: waits and resets are over by that much. */
function aged ({ receipt }: CachedDenial, ageUs: number): Receipt {
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
