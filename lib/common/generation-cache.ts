/**
 * A bounded cache of the latest entries, in two generations. When the young generation is full, it replaces the old one,
 * which is dropped as a whole: a Map under constant delete and insert stalls. A read moves an entry to the young
 * generation, so entries in use stay.
 */
export class GenerationCache<Key, Value> {
  readonly #capacity: number
  readonly #copyKey: (key: Key) => Key
  #young = new Map<Key, Value>()
  #old = new Map<Key, Value>()
  #youngSize = 0

  /**
   * `capacity`: entries per generation. The cache holds between one and two times as many.
   * `copyKey`: creates the stored key. A substring of a header would keep the whole header alive.
   */
  constructor (capacity: number, copyKey = (key: Key) => key) {
    this.#capacity = capacity
    this.#copyKey = copyKey
  }

  get (key: Key): Value | undefined {
    return this.#young.get(key) ?? this.#promote(key)
  }

  set (key: Key, value: Value): void {
    if (this.#youngSize >= this.#capacity) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngSize = 0
    }
    if (!this.#young.has(key)) this.#youngSize++
    this.#young.set(this.#copyKey(key), value)
  }

  delete (key: Key): void {
    // Do not decrement the size: alternating deletes and inserts may end a generation early, but never late.
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear (): void {
    this.#young.clear()
    this.#old.clear()
    this.#youngSize = 0
  }

  /** All entries, unordered. */
  * entries (): Generator<readonly [key: Key, value: Value]> {
    yield * this.#young
    for (const entry of this.#old) {
      if (!this.#young.has(entry[0])) yield entry
    }
  }

  /** Count one more entry. Call it when the value of a key is a collection and grows. */
  grow (): void {
    this.#youngSize++
  }

  #promote (key: Key): Value | undefined {
    const value = this.#old.get(key)
    if (value !== undefined) this.set(key, value)
    return value
  }
}
