/** How many requests may wait in one queue. */
export interface QueueLimits {
  /** Of all clients together. Whole, 0 or more. */
  readonly maxQueued: number
  /** Of one partition, so that a single client cannot fill the queue. Whole, 0 or more. */
  readonly maxQueuedPerClient: number
}

/** Counts the used places, in total and by partition. A partition without places is removed. */
export class QueueCapacity {
  #taken = 0
  readonly #takenBy = new Map<string, number>()

  /** Number of partitions that have a place. */
  get partitions (): number {
    return this.#takenBy.size
  }

  /** Take a place. Returns false, and takes nothing, if a limit is reached. */
  take (partition: string, { maxQueued, maxQueuedPerClient }: QueueLimits): boolean {
    const taken = this.#takenBy.get(partition) ?? 0
    if (this.#taken >= maxQueued || taken >= maxQueuedPerClient) return false
    this.#taken++
    this.#takenBy.set(partition, taken + 1)
    return true
  }

  free (partition: string): void {
    const taken = this.#takenBy.get(partition)
    if (taken === undefined) return
    this.#taken--
    if (taken === 1) this.#takenBy.delete(partition)
    else this.#takenBy.set(partition, taken - 1)
  }
}
