/**
 * A bounded cache: the latest entries, in two generations. When the young generation is full it becomes the old one, and
 * the former old one is dropped as a whole: a Map under constant delete and insert stalls. An entry that is read moves to
 * the young generation, so entries in use stay.
 */
export class GenerationCache<Key, Value> {
  readonly #capacity: number
  readonly #copyKey: (key: Key) => Key
  #young = new Map<Key, Value>()
  #old = new Map<Key, Value>()
  #youngSize = 0

  /**
   * `capacity`: entries per generation; between one and two times as many are kept.
   * `copyKey`: makes the key that is stored. A text cut out of a header would keep all of that header alive.
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
    // The size stays counted: deleting and adding in turn ends a generation early, but never late.
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear (): void {
    this.#young.clear()
    this.#old.clear()
    this.#youngSize = 0
  }

  /** All entries, in no order. */
  * entries (): Generator<readonly [key: Key, value: Value]> {
    yield * this.#young
    for (const entry of this.#old) {
      if (!this.#young.has(entry[0])) yield entry
    }
  }

  /** Count one more entry in the value of a key, where it is a collection of its own. */
  grow (): void {
    this.#youngSize++
  }

  #promote (key: Key): Value | undefined {
    const value = this.#old.get(key)
    if (value !== undefined) this.set(key, value)
    return value
  }
}
