/** Values kept per generation; two generations are kept. */
const GENERATION = 10_000

/** The latest 10,000 to 20,000 values, by partition and a second key. */
export class Generations<Key, Value> {
  #young = new Map<string, Map<Key, Value>>()
  #old = new Map<string, Map<Key, Value>>()
  #size = 0

  get (partition: string, key: Key): Value | undefined {
    return this.#young.get(partition)?.get(key) ?? this.#old.get(partition)?.get(key)
  }

  set (partition: string, key: Key, value: Value): void {
    if (this.#size >= GENERATION) {
      this.#old = this.#young
      this.#young = new Map()
      this.#size = 0
    }
    let ofPartition = this.#young.get(partition)
    if (ofPartition === undefined) {
      ofPartition = new Map()
      this.#young.set(partition, ofPartition)
    }
    if (!ofPartition.has(key)) this.#size++
    ofPartition.set(key, value)
  }

  /** Everything that is kept, in no order. */
  * entries (): Generator<readonly [partition: string, key: Key, value: Value]> {
    for (const [partition, ofPartition] of this.#young) {
      for (const [key, value] of ofPartition) yield [partition, key, value]
    }
    for (const [partition, ofPartition] of this.#old) {
      for (const [key, value] of ofPartition) {
        if (this.#young.get(partition)?.has(key) !== true) yield [partition, key, value]
      }
    }
  }

  clear (): void {
    this.#young.clear()
    this.#old.clear()
    this.#size = 0
  }

  delete (partition: string, key: Key): void {
    if (this.#young.get(partition)?.delete(key) === true) this.#size--
    this.#old.get(partition)?.delete(key)
  }

  deletePartition (partition: string): void {
    this.#size -= this.#young.get(partition)?.size ?? 0
    this.#young.delete(partition)
    this.#old.delete(partition)
  }
}
