import { findPenalty, type Block, type Charge, type ActiveBlock, type Receipt, type Standing } from '../stores/store.js'
import { PartitionCache } from './partition-cache.js'

/**
 * The blocks that a store's answers told of, each until its end, so that they hold while the store is away. A block is
 * known by penalty and partition: another version of a policy finds it too.
 */
export class KnownBlocks {
  /** The end of each, by the text of its penalty. */
  readonly #ends = new PartitionCache<string, number>()

  /** Hear what a store answered: a block that it does not tell of is over, or was lifted. */
  update ({ standings }: Receipt, nowUs: number): void {
    for (let i = 0; i < standings.length; i++) {
      const { limit, partition, blockedUs } = standings[i]
      const penalty = findPenalty(limit)
      if (penalty === null) continue
      if (blockedUs > 0) this.#ends.set(partition, penalty.bucket, nowUs + blockedUs)
      else this.#ends.delete(partition, penalty.bucket)
    }
  }

  /**
   * The refusal of a request of which some charge is blocked; `null` where none is known to be. What its limits have
   * left is not known: 0 where the partition is blocked, all elsewhere.
   */
  findRefusal (charges: readonly Charge[], nowUs: number): Receipt | null {
    const standings = charges.map((charge) => this.#buildStanding(charge, nowUs))
    const blocks = new Map<string, Block>()
    for (const { limit, partition, blockedUs } of standings) {
      if (blockedUs > 0) blocks.set(JSON.stringify([findPenalty(limit)?.bucket, partition]), { partition, blockedUs, began: false })
    }
    return blocks.size === 0 ? null : { granted: false, atUs: nowUs, standings, blocks: [...blocks.values()] }
  }

  /** All that are known, in no order; some may have been lifted. */
  * all (nowUs: number): Generator<ActiveBlock> {
    for (const [partition, penalty, endUs] of this.#ends.entries()) {
      if (endUs > nowUs) yield { partition, penalty, leftUs: endUs - nowUs }
    }
  }

  deletePartition (partition: string): void {
    this.#ends.deletePartition(partition)
  }

  #buildStanding ({ limit, partition }: Charge, nowUs: number): Standing {
    const penalty = findPenalty(limit)
    const endUs = penalty === null ? undefined : this.#ends.get(partition, penalty.bucket)
    // Another version of the policy may have a shorter longest cooldown, as in the stores.
    const leftUs = penalty === null || endUs === undefined ? 0 : Math.min(penalty.maxCooldownUs, Math.max(0, endUs - nowUs))
    return {
      limit,
      partition,
      charged: 0,
      granted: leftUs === 0,
      remaining: leftUs === 0 ? limit.capacity : 0,
      resetUs: leftUs,
      delayUs: 0,
      retryUs: leftUs,
      blockedUs: leftUs
    }
  }
}
