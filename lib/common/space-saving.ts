import { IndexedHeap, type HeapEntry } from './indexed-heap.js'

/** How often a key was counted. */
export interface Count<Key> {
  readonly key: Key
  /** Identifies the key. */
  readonly text: string
  /** At most this often. */
  readonly count: number
  /** How much too high the count may be: 0 while every key has room. */
  readonly error: number
}

class Counter<Key> implements HeapEntry, Count<Key> {
  dueUs = 0
  index = -1
  readonly order: number
  readonly key: Key
  readonly text: string
  readonly error: number

  constructor (text: string, key: Key, order: number, error: number) {
    this.text = text
    this.key = key
    this.order = order
    this.error = error
    this.dueUs = error
  }

  get count (): number {
    return this.dueUs
  }
}

/**
 * Counts the most frequent keys of a stream in bounded memory. No count is too low, and each key with more than a share of
 * 1 / `capacity` of all counts has one (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements
 * in Data Streams, 2005: Space-Saving).
 */
export class SpaceSaving<Key> {
  readonly #capacity: number
  readonly #onEvict: (key: Key) => void
  readonly #counters = new Map<string, Counter<Key>>()
  /** The least frequent one on top. */
  readonly #heap = new IndexedHeap<Counter<Key>>()
  #order = 0

  /** `onEvict`: called with each key that makes room for another one. */
  constructor (capacity: number, onEvict: (key: Key) => void = () => {}) {
    this.#capacity = capacity
    this.#onEvict = onEvict
  }

  /** At most this often was a key counted that has no count here. */
  get absentCount (): number {
    return this.#counters.size < this.#capacity ? 0 : this.#heap.first?.count ?? 0
  }

  /** The count of a text; `null` if it is not among the most frequent ones. */
  find (text: string): Count<Key> | null {
    return this.#counters.get(text) ?? null
  }

  /** Count a key `times` times. `text`: identifies the key, which is created if it is not known. Returns the key. */
  add (text: string, create: () => Key, times = 1): Key {
    const counter = this.#counters.get(text) ?? this.#insert(text, create())
    this.#heap.remove(counter)
    counter.dueUs += times
    this.#heap.push(counter)
    return counter.key
  }

  /** All counts, unordered. */
  counts (): Iterable<Count<Key>> {
    return this.#counters.values()
  }

  /** The most frequent keys first. */
  top (count: number): ReadonlyArray<Count<Key>> {
    return [...this.#counters.values()].sort((a, b) => b.count - a.count || a.order - b.order).slice(0, count)
  }

  #insert (text: string, key: Key): Counter<Key> {
    const least = this.#counters.size < this.#capacity ? null : this.#heap.first
    if (least !== null) {
      this.#heap.remove(least)
      this.#counters.delete(least.text)
      this.#onEvict(least.key)
    }
    const counter = new Counter(text, key, this.#order++, least?.count ?? 0)
    this.#counters.set(text, counter)
    return counter
  }
}
