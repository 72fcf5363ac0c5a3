/** An entry with a due time. */
export interface HeapEntry {
  /** When it is due, microseconds of the clock. */
  readonly dueUs: number
  /** Order of entries that are due at the same time: the lower one leaves first. */
  readonly order: number
  /** Position in the heap; -1 if the entry is not in it. Only the heap writes it. */
  index: number
}

/**
 * A binary heap with the earliest entry on top. Each entry stores its position, so that a cancelled entry is removed at
 * once, in O(log n). If entries were only marked as cancelled, clients that open and abort requests would fill the memory.
 */
export class IndexedHeap<Entry extends HeapEntry> {
  readonly #entries: Entry[] = []

  get size (): number {
    return this.#entries.length
  }

  /** The earliest entry. */
  get first (): Entry | null {
    return this.#entries[0] ?? null
  }

  push (entry: Entry): void {
    this.#entries.push(entry)
    this.#siftUp(entry, this.#entries.length - 1)
  }

  /** Remove an entry from any position. Returns false if it is not in the heap. */
  remove (entry: Entry): boolean {
    const { index } = entry
    if (index === -1) return false
    entry.index = -1
    const last = this.#entries.pop()
    if (last === undefined || last === entry) return true
    // The last entry fills the gap. It may belong above or below it.
    this.#siftUp(last, index)
    this.#siftDown(last, last.index)
    return true
  }

  #siftUp (entry: Entry, index: number): void {
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(entry, this.#entries[parent])) break
      this.#setAt(this.#entries[parent], index)
      index = parent
    }
    this.#setAt(entry, index)
  }

  #siftDown (entry: Entry, index: number): void {
    const { length } = this.#entries
    for (;;) {
      let child = 2 * index + 1
      if (child >= length) break
      if (child + 1 < length && isBefore(this.#entries[child + 1], this.#entries[child])) child++
      if (!isBefore(this.#entries[child], entry)) break
      this.#setAt(this.#entries[child], index)
      index = child
    }
    this.#setAt(entry, index)
  }

  #setAt (entry: Entry, index: number): void {
    this.#entries[index] = entry
    entry.index = index
  }
}

function isBefore (a: HeapEntry, b: HeapEntry): boolean {
  return a.dueUs < b.dueUs || (a.dueUs === b.dueUs && a.order < b.order)
}
