import { findPenalty, type Block, type Charge, type ActiveBlock, type Receipt, type Standing } from '../stores/store.js'
import { PartitionCache } from './partition-cache.js'

/**
 * The blocks in the results of a store, each until its end, so that they hold while the store is unavailable. The key of a
 * block is its penalty and partition, so that another version of a policy finds it too.
 */
export class KnownBlocks {
  /** The end of each block, by partition and the `bucket` of its penalty. */
  readonly #ends = new PartitionCache<string, number>()

  /** Update the blocks from a result. A block that it does not contain is over, or was lifted. */
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
   * The refusal of a request with a blocked charge, or `null` if no block is known. The remaining units are unknown:
   * they are reported as 0 for a blocked partition, and as the full capacity for others.
   */
  findRefusal (charges: readonly Charge[], nowUs: number): Receipt | null {
    const standings = charges.map((charge) => this.#buildStanding(charge, nowUs))
    const blocks = new Map<string, Block>()
    for (const { limit, partition, blockedUs } of standings) {
      if (blockedUs > 0) blocks.set(JSON.stringify([findPenalty(limit)?.bucket, partition]), { partition, blockedUs, began: false })
    }
    return blocks.size === 0 ? null : { granted: false, atUs: nowUs, standings, blocks: [...blocks.values()] }
  }

  /** All known blocks, unordered. Some may have been lifted. */
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
    // Another version of the policy may have a shorter `maxCooldownUs`, as in the stores.
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
