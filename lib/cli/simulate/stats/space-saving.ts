import { IndexedHeap, type HeapEntry } from '../../../throttle/indexed-heap.js'

/** How often a key was counted. */
export interface Count<Key> {
  readonly key: Key
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
 * Counts the most frequent keys of a stream in bounded memory. Each key with more than a share of 1 / `capacity` of all
 * counts is in it (Metwally, Agrawal, El Abbadi: Space-Saving, 2005).
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

  /** The key of a text; `null` if it is not among the most frequent ones. */
  find (text: string): Key | null {
    return this.#counters.get(text)?.key ?? null
  }

  /** Count one. `text`: identifies the key, which is created if it is not known. */
  add (text: string, create: () => Key): void {
    const counter = this.#counters.get(text) ?? this.#insert(text, create())
    this.#heap.remove(counter)
    counter.dueUs++
    this.#heap.push(counter)
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
