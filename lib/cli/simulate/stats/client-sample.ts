import { copyText } from '../../../clients/address/address-reader.js'
import { hashToUnit } from '../../../request/rollout.js'

/**
 * Values of clients in bounded memory: of all clients, as long as there is room; then of those whose hash is in one half of
 * all hashes, a quarter, and so on. A client is in the sample from its first request on, or never, so that it is a sample of
 * clients and not of requests (Gibbons: Distinct Sampling, 2001).
 */
export class ClientSample<Value> {
  readonly #capacity: number
  readonly #create: () => Value
  readonly #values = new Map<string, Value>()
  #share = 1

  /** `capacity`: clients at most. */
  constructor (capacity: number, create: () => Value) {
    this.#capacity = capacity
    this.#create = create
  }

  /** The share of clients in the sample: 1, a half, a quarter, ... */
  get share (): number {
    return this.#share
  }

  /** The value of a client, created at its first use; `null` if it is not in the sample. */
  get (partition: string): Value | null {
    const known = this.#values.get(partition)
    if (known !== undefined) return known
    if (!this.#accepts(partition)) return null
    const value = this.#create()
    this.#values.set(copyText(partition), value)
    while (this.#values.size > this.#capacity) this.#halve()
    return value
  }

  values (): Iterable<Value> {
    return this.#values.values()
  }

  #accepts (partition: string): boolean {
    return this.#share === 1 || hashToUnit(partition) < this.#share
  }

  #halve (): void {
    this.#share /= 2
    for (const partition of this.#values.keys()) {
      if (!this.#accepts(partition)) this.#values.delete(partition)
    }
  }
}
