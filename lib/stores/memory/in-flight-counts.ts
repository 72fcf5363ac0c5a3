import { hasSlots } from '../../algorithms/concurrency.js'
import type { Charge, Limit, Standing } from '../store.js'

type Counts = Map<string, number>

/**
 * Requests in flight in this process, by limit and partition. A count exists only while a request is in flight, so there
 * are never more of them than such requests.
 */
export class InFlightCounts {
  /** By the `bucket` of the limit. A limit is never removed: its number is that of the policies. */
  readonly #limits = new Map<string, Counts>()
  #latestBucket = ''
  #latestCounts: Counts = new Map()

  /** Requests in flight. */
  get (limit: Limit, partition: string): number {
    return this.#find(limit).get(partition) ?? 0
  }

  /** Whether a charge finds enough slots. Takes none. */
  hasSlots ({ limit, partition, cost }: Charge): boolean {
    return hasSlots(limit, this.get(limit, partition), cost)
  }

  /** Take slots, whether or not the limit has them. */
  take (limit: Limit, partition: string, slots: number): void {
    if (slots === 0) return
    const counts = this.#find(limit)
    counts.set(partition, (counts.get(partition) ?? 0) + slots)
  }

  /** Give slots back. */
  release (limit: Limit, partition: string, slots: number): void {
    const counts = this.#find(limit)
    const left = (counts.get(partition) ?? 0) - slots
    if (left > 0) counts.set(partition, left)
    else counts.delete(partition)
  }

  /** The standing of a charge after it was decided. `charged`: the slots that it took. */
  createStanding ({ limit, partition }: Charge, granted: boolean, charged: number): Standing {
    const remaining = Math.max(0, limit.max - this.get(limit, partition))
    return { limit, partition, charged, granted, remaining, resetUs: 0, delayUs: 0, retryUs: 0, blockedUs: 0 }
  }

  #find ({ bucket }: Limit): Counts {
    if (bucket === this.#latestBucket) return this.#latestCounts
    let counts = this.#limits.get(bucket)
    if (counts === undefined) {
      counts = new Map()
      this.#limits.set(bucket, counts)
    }
    this.#latestBucket = bucket
    this.#latestCounts = counts
    return counts
  }
}
