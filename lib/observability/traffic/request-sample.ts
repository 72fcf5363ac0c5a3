import { HASHES } from './partition-hash.js'

/** Requests that a sample holds: 80 kB. */
export const MAX_SAMPLED = 4096

const HOUR_US = 3_600_000_000

/** With fewer clients, the sample covers a shorter time instead of half of them. */
const MIN_CLIENTS = 32

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
    this.#timesUs[this.#size] = timeUs
    this.#clients[this.#size] = client
    this.#costs[this.#size] = cost
    this.#costSum += cost
    this.#size++
  }

  /** Forget what is older than an hour, and accept more clients again if that leaves little. */
  advance (nowUs: number): void {
    if (this.#size > 0 && this.#timesUs[0] < nowUs - HOUR_US) this.#dropOld(nowUs)
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
    if (new Set(this.#clients.subarray(0, this.#size)).size >= MIN_CLIENTS) {
      this.maxHash /= 2
      this.#keep((index) => this.#clients[index] < this.maxHash)
    }
    // Most requests may be of few clients.
    if (this.#size > MAX_SAMPLED * 3 / 4) this.#keep((index) => index >= MAX_SAMPLED / 4)
  }

  #dropOld (nowUs: number): void {
    const sinceUs = nowUs - HOUR_US
    this.#keep((index) => this.#timesUs[index] >= sinceUs)
  }

  #keep (isKept: (index: number) => boolean): void {
    let size = 0
    let costSum = 0
    for (let index = 0; index < this.#size; index++) {
      if (!isKept(index)) continue
      this.#timesUs[size] = this.#timesUs[index]
      this.#clients[size] = this.#clients[index]
      this.#costs[size] = this.#costs[index]
      costSum += this.#costs[size]
      size++
    }
    this.#size = size
    this.#costSum = costSum
  }
}
