/** An entry of a FIFO queue. */
export interface FifoEntry {
  readonly orderKey: string
  readonly dueUs: number
  /** The entries before and after this one; `null` at the ends. Only `FifoOrder` writes them. */
  previous: FifoEntry | null
  next: FifoEntry | null
}

/**
 * Keeps the requests with one key in their order of arrival. Results of the store take different times to arrive, so a
 * later request may seem to be due slightly sooner. It then waits for the request before it.
 */
export class FifoOrder {
  /** The last entry of each key. A key without entries is removed. */
  readonly #tails = new Map<string, FifoEntry>()

  /** When a new entry is due: at `dueUs`, but not before the last entry of its key. */
  earliestDue (orderKey: string, dueUs: number): number {
    const tail = this.#tails.get(orderKey)
    return tail === undefined ? dueUs : Math.max(dueUs, tail.dueUs)
  }

  /** Add an entry after all others of its key. */
  append (entry: FifoEntry): void {
    const tail = this.#tails.get(entry.orderKey)
    if (tail !== undefined) {
      entry.previous = tail
      tail.next = entry
    }
    this.#tails.set(entry.orderKey, entry)
  }

  /** Remove an entry from any position, so that a cancelled request does not delay later ones. */
  remove (entry: FifoEntry): void {
    const { orderKey, previous, next } = entry
    if (previous !== null) previous.next = next
    if (next !== null) next.previous = previous
    else if (previous !== null) this.#tails.set(orderKey, previous)
    else this.#tails.delete(orderKey)
    // A removed entry must not keep its neighbours in memory.
    entry.previous = null
    entry.next = null
  }
}
