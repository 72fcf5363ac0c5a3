/** What waits for a time. */
export interface HeapEntry {
  /** When it is due, microseconds of the clock. */
  readonly dueUs: number
  /** Decides between two that are due at the same time: the lower leaves first. */
  readonly order: number
  /** Its place in the heap, which alone writes it; -1 outside, and before it was pushed. */
  index: number
}

/**
 * A binary heap with the earliest entry on top. Each entry knows its place, so that one which is given up leaves at
 * once, in O(log n): marked ones that stay would fill the memory of whoever opens and aborts requests.
 */
export class IndexedHeap<Entry extends HeapEntry> {
  readonly #entries: Entry[] = []

  get size (): number {
    return this.#entries.length
  }

  /** The entry that is due next. */
  get first (): Entry | null {
    return this.#entries[0] ?? null
  }

  push (entry: Entry): void {
    this.#entries.push(entry)
    this.#siftUp(entry, this.#entries.length - 1)
  }

  /** Take an entry out, wherever it is. False when it is not here any more. */
  remove (entry: Entry): boolean {
    const { index } = entry
    if (index === -1) return false
    entry.index = -1
    const last = this.#entries.pop()
    if (last === undefined || last === entry) return true
    // The last one fills the gap; it may belong above it as well as below.
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
