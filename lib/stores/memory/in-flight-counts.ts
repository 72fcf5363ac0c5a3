import { hasSlots } from '../../algorithms/concurrency.js'
import type { Charge, Limit, Receipt, Standing } from '../store.js'

/** Slots of one partition. */
interface InFlight {
  count: number
}

/** Partitions without slots that a limit keeps, so that not every request changes the map. */
const MAX_IDLE = 1024

/** The slots of one limit. */
class LimitSlots {
  readonly #partitions = new Map<string, InFlight>()
  #idle = 0
  /** The entry that was looked up last: a request asks for its slots, and then takes one. */
  #latestPartition: string | null = null
  #latest: InFlight | undefined

  /** Number of partitions that are kept. */
  get size (): number {
    return this.#partitions.size
  }

  get (partition: string): number {
    return this.#find(partition)?.count ?? 0
  }

  /** Change a count, which stays 0 or more. Returns the new count. */
  add (partition: string, slots: number): number {
    let entry = this.#find(partition)
    if (entry === undefined) {
      if (slots <= 0) return 0
      entry = { count: 0 }
      this.#partitions.set(partition, entry)
      this.#latest = entry
    } else if (entry.count === 0) {
      this.#idle--
    }
    entry.count = Math.max(0, entry.count + slots)
    if (entry.count === 0 && ++this.#idle > MAX_IDLE && this.#idle * 2 > this.#partitions.size) this.#dropIdle()
    return entry.count
  }

  #find (partition: string): InFlight | undefined {
    if (partition === this.#latestPartition) return this.#latest
    this.#latestPartition = partition
    this.#latest = this.#partitions.get(partition)
    return this.#latest
  }

  #dropIdle (): void {
    for (const [partition, { count }] of this.#partitions) if (count === 0) this.#partitions.delete(partition)
    this.#idle = 0
    this.#latest = undefined
    this.#latestPartition = null
  }
}

/**
 * Requests in flight in this process, by limit and partition. There are never many more entries than such requests, so they
 * need no bound of their own.
 */
export class InFlightCounts {
  /** By the `bucket` of the limit. A limit is never removed: their number is that of the policies. */
  readonly #limits = new Map<string, LimitSlots>()
  #latestBucket: string | null = null
  #latest = new LimitSlots()

  /** Number of partitions that are kept, with or without slots. */
  get size (): number {
    let size = 0
    for (const slots of this.#limits.values()) size += slots.size
    return size
  }

  /** Requests in flight. */
  get (limit: Limit, partition: string): number {
    return this.#find(limit).get(partition)
  }

  /** Whether a charge finds enough slots. Takes none. */
  hasSlots ({ limit, partition, cost }: Charge): boolean {
    if (limit.room != null) return cost === 0 || limit.room.hasSlot()
    return hasSlots(limit, this.#find(limit).get(partition), cost)
  }

  /** Take slots, whether or not the limit has them. */
  take (limit: Limit, partition: string, slots: number): void {
    if (limit.room != null) limit.room.change(slots)
    else this.#find(limit).add(partition, slots)
  }

  /** Give slots back. */
  release (limit: Limit, partition: string, slots: number): void {
    if (limit.room != null) limit.room.change(-slots)
    else this.#find(limit).add(partition, -slots)
  }

  /**
   * Take the slots of a charge if its request is granted, and a limit in shadow mode by itself unless the client is blocked.
   * Returns its standing. `hasRoom`: the result of `hasSlots`. `receipt`: of the limits by rate.
   */
  settle ({ limit, partition, cost }: Charge, hasRoom: boolean, { granted, blocks }: Pick<Receipt, 'granted' | 'blocks'>): Standing {
    const isTaken = hasRoom && (granted || (limit.mode === 'shadow' && blocks.length === 0))
    return this.#createStanding(limit, partition, hasRoom, isTaken ? cost : 0)
  }

  /** The standing of a limit for a request that takes no slot. */
  peek (limit: Limit, partition: string): Standing {
    return this.#createStanding(limit, partition, true, 0)
  }

  #createStanding (limit: Limit, partition: string, granted: boolean, charged: number): Standing {
    const remaining = this.#change(limit, partition, charged)
    return { limit, partition, charged, granted, remaining, resetUs: 0, delayUs: 0, retryUs: 0, blockedUs: 0 }
  }

  /** Take slots. Returns how many are left. */
  #change (limit: Limit, partition: string, taken: number): number {
    if (limit.room != null) {
      if (taken > 0) limit.room.change(taken)
      return limit.room.left
    }
    const slots = this.#find(limit)
    return Math.max(0, limit.max - (taken > 0 ? slots.add(partition, taken) : slots.get(partition)))
  }

  #find ({ bucket }: Limit): LimitSlots {
    if (bucket === this.#latestBucket) return this.#latest
    let slots = this.#limits.get(bucket)
    if (slots === undefined) {
      slots = new LimitSlots()
      this.#limits.set(bucket, slots)
    }
    this.#latestBucket = bucket
    this.#latest = slots
    return slots
  }
}
