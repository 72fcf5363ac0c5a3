import { TextTable } from '../common/text-table.js'

/**
 * Numbers of clients in bounded memory: of all clients, as long as there is room; then of those whose hash is in one half of
 * all hashes, a quarter, and so on. A client is in the sample from its first request on, or never, so that it is a sample of
 * clients and not of requests (Gibbons: Distinct Sampling, 2001).
 */
export class ClientSample {
  readonly #capacity: number
  readonly #create: () => number
  readonly #onDrop: (number: number) => void
  readonly #clients: TextTable
  #share = 1

  /** `capacity`: clients at most. `onDrop`: called with the number of a client that leaves the sample. */
  constructor (capacity: number, create: () => number, onDrop: (number: number) => void) {
    this.#capacity = capacity
    this.#create = create
    this.#onDrop = onDrop
    this.#clients = new TextTable(capacity)
  }

  /** The share of clients in the sample: 1, a half, a quarter, ... */
  get share (): number {
    return this.#share
  }

  /** The number of a client, created at its first use; `null` if it is not in the sample. */
  get (partition: string): number | null {
    const known = this.#clients.find(partition)
    if (known !== null) return known
    if (this.#clients.unit >= this.#share) return null
    const number = this.#create()
    this.#clients.add(number)
    while (this.#clients.size > this.#capacity) this.#halve()
    return number
  }

  /** What is probably the number of each client; -1 for those without one. */
  guessAll (partitions: readonly string[]): Int32Array {
    return this.#clients.guessAll(partitions)
  }

  values (): Iterable<number> {
    return this.#clients.values()
  }

  #halve (): void {
    this.#share /= 2
    this.#clients.filter((number, unit) => {
      if (unit < this.#share) return true
      this.#onDrop(number)
      return false
    })
  }
}
