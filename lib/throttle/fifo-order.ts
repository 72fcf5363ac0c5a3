/** Who waits in a line. */
export interface FifoEntry {
  readonly orderKey: string
  readonly dueUs: number
  /** Who came before, and after; `null` at the ends. Written by the lines alone. */
  previous: FifoEntry | null
  next: FifoEntry | null
}

/**
 * Keeps the requests of one line in the order in which they came. Their answers took different times on the way from
 * the store, so a later one may seem to be due a little sooner; it waits for the one before it.
 */
export class FifoOrder {
  /** The last one of each line. A line that nobody is in is forgotten. */
  readonly #tails = new Map<string, FifoEntry>()

  /** The time at which one is due who would be due at `dueUs` if he were alone, but not before those ahead of him. */
  earliestDue (orderKey: string, dueUs: number): number {
    const tail = this.#tails.get(orderKey)
    return tail === undefined ? dueUs : Math.max(dueUs, tail.dueUs)
  }

  /** Get in line, behind all others. */
  append (entry: FifoEntry): void {
    const tail = this.#tails.get(entry.orderKey)
    if (tail !== undefined) {
      entry.previous = tail
      tail.next = entry
    }
    this.#tails.set(entry.orderKey, entry)
  }

  /** Leave, from wherever in the line: who gave up holds back nobody who comes later. */
  remove (entry: FifoEntry): void {
    const { orderKey, previous, next } = entry
    if (previous !== null) previous.next = next
    if (next !== null) next.previous = previous
    else if (previous !== null) this.#tails.set(orderKey, previous)
    else this.#tails.delete(orderKey)
    // Not to keep each other's requests in memory.
    entry.previous = null
    entry.next = null
  }
}
