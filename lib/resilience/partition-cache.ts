import { GenerationCache } from '../common/generation-cache.js'

/** Entries per generation; two generations are kept. */
const CAPACITY = 10_000

/** A cache of the latest 10,000 to 20,000 values, by partition and a second key. */
export class PartitionCache<Key, Value> {
  readonly #partitions = new GenerationCache<string, Map<Key, Value>>(CAPACITY)

  get (partition: string, key: Key): Value | undefined {
    return this.#partitions.get(partition)?.get(key)
  }

  set (partition: string, key: Key, value: Value): void {
    const values = this.#partitions.get(partition)
    if (values === undefined) {
      this.#partitions.set(partition, new Map([[key, value]]))
      return
    }
    if (!values.has(key)) this.#partitions.grow()
    values.set(key, value)
  }

  /** All entries, unordered. */
  * entries (): Generator<readonly [partition: string, key: Key, value: Value]> {
    for (const [partition, values] of this.#partitions.entries()) {
      for (const [key, value] of values) yield [partition, key, value]
    }
  }

  delete (partition: string, key: Key): void {
    const values = this.#partitions.get(partition)
    if (values === undefined) return
    values.delete(key)
    if (values.size === 0) this.#partitions.delete(partition)
  }

  deletePartition (partition: string): void {
    this.#partitions.delete(partition)
  }

  clear (): void {
    this.#partitions.clear()
  }
}
