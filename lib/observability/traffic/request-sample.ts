import { HASHES } from './partition-hash.js'

/** Requests that a sample holds: 160 kB. */
export const MAX_SAMPLED = 8192

const HOUR_US = 3_600_000_000

/** With so many clients half of them are forgotten when the sample is full, with fewer the oldest requests of all. */
const MANY_CLIENTS = 16

/** A request of a sampled client. */
export interface SampledRequest {
  readonly timeUs: number
  readonly client: number
  readonly cost: number
}

/**
 * All requests of some clients in the last hour. A client is in the sample if its hash is below `maxHash`, which is halved
 * when the memory is full. Then it is a sample of clients and not of requests (Gibbons: Distinct Sampling, 2001).
 */
export class RequestSample {
  maxHash = HASHES
  readonly #timesUs = new Float64Array(MAX_SAMPLED)
  readonly #clients = new Uint32Array(MAX_SAMPLED)
  readonly #costs = new Float64Array(MAX_SAMPLED)
  #size = 0
  #costSum = 0

  /** The mean cost, whole, 1 or more: for refused requests whose cost is not known. */
  get meanCost (): number {
    return this.#size === 0 ? 1 : Math.max(1, Math.round(this.#costSum / this.#size))
  }

  /** Add a request of a client whose hash is below `maxHash`. */
  add (timeUs: number, client: number, cost: number): void {
    if (this.#size === MAX_SAMPLED) {
      this.#makeRoom(timeUs)
      if (client >= this.maxHash) return
    }
    this.#append(timeUs, client, cost)
  }

  /** Forget what is older than an hour, and accept more clients again if that leaves little. */
  advance (nowUs: number): void {
    this.#dropOld(nowUs)
    if (this.#size < MAX_SAMPLED / 8 && this.maxHash < HASHES) this.maxHash *= 2
  }

  list (): SampledRequest[] {
    return Array.from({ length: this.#size }, (_, index) => {
      return { timeUs: this.#timesUs[index], client: this.#clients[index], cost: this.#costs[index] }
    })
  }

  #makeRoom (nowUs: number): void {
    this.#dropOld(nowUs)
    if (this.#size <= MAX_SAMPLED * 3 / 4) return
    if (this.#hasManyClients()) this.#halve()
    // Most requests may be of few clients.
    if (this.#size > MAX_SAMPLED * 3 / 4) this.#dropFirst(MAX_SAMPLED / 4)
  }

  #hasManyClients (): boolean {
    const found = new Set<number>()
    for (let index = 0; index < this.#size && found.size < MANY_CLIENTS; index++) found.add(this.#clients[index])
    return found.size === MANY_CLIENTS
  }

  /** Forget the clients in the upper half of the hashes. */
  #halve (): void {
    this.maxHash /= 2
    const last = this.#size
    this.#size = 0
    this.#costSum = 0
    for (let index = 0; index < last; index++) {
      if (this.#clients[index] < this.maxHash) this.#append(this.#timesUs[index], this.#clients[index], this.#costs[index])
    }
  }

  #dropOld (nowUs: number): void {
    const sinceUs = nowUs - HOUR_US
    let count = 0
    while (count < this.#size && this.#timesUs[count] < sinceUs) count++
    if (count > 0) this.#dropFirst(count)
  }

  #dropFirst (count: number): void {
    for (let index = 0; index < count; index++) this.#costSum -= this.#costs[index]
    this.#timesUs.copyWithin(0, count, this.#size)
    this.#clients.copyWithin(0, count, this.#size)
    this.#costs.copyWithin(0, count, this.#size)
    this.#size -= count
  }

  #append (timeUs: number, client: number, cost: number): void {
    this.#timesUs[this.#size] = timeUs
    this.#clients[this.#size] = client
    this.#costs[this.#size] = cost
    this.#costSum += cost
    this.#size++
  }
}
