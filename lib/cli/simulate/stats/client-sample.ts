import { TextTable } from '../common/text-table.js'

/**
 * Values of clients in bounded memory: of all clients, as long as there is room; then of those whose hash is in one half of
 * all hashes, a quarter, and so on. A client is in the sample from its first request on, or never, so that it is a sample of
 * clients and not of requests (Gibbons: Distinct Sampling, 2001).
 */
export class ClientSample<Value> {
  readonly #capacity: number
  readonly #create: () => Value
  readonly #onDrop: (value: Value) => void
  readonly #clients: TextTable<Value>
  #share = 1

  /** `capacity`: clients at most. `onDrop`: called with the value of a client that leaves the sample. */
  constructor (capacity: number, create: () => Value, onDrop: (value: Value) => void) {
    this.#capacity = capacity
    this.#create = create
    this.#onDrop = onDrop
    this.#clients = new TextTable(capacity)
  }

  /** The share of clients in the sample: 1, a half, a quarter, ... */
  get share (): number {
    return this.#share
  }

  /** The value of a client, created at its first use; `null` if it is not in the sample. */
  get (partition: string): Value | null {
    const known = this.#clients.find(partition)
    if (known !== null) return known
    if (this.#clients.unit >= this.#share) return null
    const value = this.#create()
    this.#clients.add(value)
    while (this.#clients.size > this.#capacity) this.#halve()
    return value
  }

  values (): Iterable<Value> {
    return this.#clients.values()
  }

  #halve (): void {
    this.#share /= 2
    this.#clients.filter((value, unit) => {
      if (unit < this.#share) return true
      this.#onDrop(value)
      return false
    })
  }
}
