import type { Limit } from '../../../stores/store.js'
import type { RequestCount } from './limit-tally.js'

/** Parts of a window that are counted separately, besides the current one. */
const PARTS = 8

/*
 * A row is 128 bytes, two cache lines: most of the time of a replay is spent to wait for memory. Numbers, then words of 32 bits.
 * A client is the number of its first row. That has its requests, and its demand on the limit that it met first.
 */
const CELLS = 16
const PEAK = 0
const BURST = 1
const LEVEL = 2
/** Time of the last demand. */
const LAST_US = 3
const SUM = 4
const FIRST_PART = 5

const WORDS = CELLS * 2
const REQUESTS = 28
const REFUSED = 29
/** The limit of the row, plus 1. 0: the client has not met one. */
const LIMIT = 30
/** The row of the client's next limit, plus 1. 0: there is no other one. */
const NEXT = 31

/** The cells of what few requests change: the highest demand as a multiple of what its limit allows, and how many keep the client. */
const EXCESS_CELLS = 4
const EXCESS = 0
const EXCESS_PEAK = 1
const EXCESS_LIMIT = 2
const OWNERS = 3

/** What is known of a client. */
export interface ClientTally extends Readonly<RequestCount> {
  /** The highest demand in a window, as a multiple of what its limit allows. */
  readonly excess: number
  /** The index of that limit; `null` without a demand. */
  readonly limit: number | null
  readonly peak: number
}

/** Requests of clients, and how much they ask of limits, whether or not it is granted. */
export class ClientTable {
  #cells = new Float64Array(CELLS * 1024)
  #words = new Uint32Array(this.#cells.buffer)
  #excess = new Float64Array(EXCESS_CELLS * 1024)
  #rows = 0
  /** Kept, or the compiler leaves the reads of `prefetch` out. */
  prefetched = 0
  readonly #freeRows: number[] = []

  /** Read the first row of each of some clients, so that the processor has it at hand. -1: no client. */
  prefetch (clients: Int32Array): void {
    let sum = 0
    for (let i = 0; i < clients.length; i++) {
      if (clients[i] !== -1) sum += this.#cells[clients[i] * CELLS] + this.#words[clients[i] * WORDS + REQUESTS]
    }
    this.prefetched = sum
  }

  /** Add a client with one owner. */
  createClient (): number {
    const client = this.#createRow()
    this.#excess.fill(0, client * EXCESS_CELLS, (client + 1) * EXCESS_CELLS)
    return this.retain(client)
  }

  /** Count another owner, which calls `release` too. */
  retain (client: number): number {
    this.#excess[client * EXCESS_CELLS + OWNERS]++
    return client
  }

  /** Free the rows of a client when no owner is left. */
  release (client: number): void {
    if (--this.#excess[client * EXCESS_CELLS + OWNERS] > 0) return
    for (let next = client + 1; next > 0; next = this.#words[(next - 1) * WORDS + NEXT]) this.#freeRows.push(next - 1)
  }

  countRequest (client: number, isRefused: boolean): void {
    this.#words[client * WORDS + REQUESTS]++
    if (isRefused) this.#words[client * WORDS + REFUSED]++
  }

  getClient (client: number): ClientTally {
    const [words, excess] = [client * WORDS, client * EXCESS_CELLS]
    return {
      requests: this.#words[words + REQUESTS],
      refused: this.#words[words + REFUSED],
      excess: this.#excess[excess + EXCESS],
      limit: this.#excess[excess + EXCESS] === 0 ? null : this.#excess[excess + EXCESS_LIMIT],
      peak: this.#excess[excess + EXCESS_PEAK]
    }
  }

  /** The row of a client's demand on a limit, by its index. */
  findRow (client: number, limit: number): number | null {
    const words = this.#words
    for (let next = client + 1; next > 0; next = words[(next - 1) * WORDS + NEXT]) {
      if (words[(next - 1) * WORDS + LIMIT] === limit + 1) return next - 1
    }
    return null
  }

  findOrAddRow (client: number, limit: number): number {
    return this.#words[client * WORDS + LIMIT] === limit + 1 ? client : this.findRow(client, limit) ?? this.#addRow(client, limit)
  }

  /**
   * The most units in any window of the limit. It is counted in eighths of the window, so it may include the units of one more
   * eighth: never too low.
   */
  getPeak (row: number): number {
    return this.#cells[row * CELLS + PEAK]
  }

  /** The capacity that a bucket which is refilled at the rate of the limit would have needed to grant everything. */
  getBurst (row: number): number {
    return this.#cells[row * CELLS + BURST]
  }

  /** Returns whether the peak is a higher one now. */
  addDemand (row: number, units: number, nowUs: number, { max, windowUs }: Limit): boolean {
    const cells = this.#cells
    const first = row * CELLS
    const lastUs = cells[first + LAST_US]
    const level = Math.max(0, cells[first + LEVEL] - (nowUs - lastUs) * max / windowUs) + units
    cells[first + LEVEL] = level
    cells[first + LAST_US] = nowUs
    if (level > cells[first + BURST]) cells[first + BURST] = level
    const part = Math.floor(nowUs * PARTS / windowUs)
    const last = Math.floor(lastUs * PARTS / windowUs)
    if (part !== last) this.#advance(first, last, part)
    const sum = cells[first + SUM] + units
    cells[first + SUM] = sum
    cells[first + FIRST_PART + part % (PARTS + 1)] += units
    if (sum <= cells[first + PEAK]) return false
    cells[first + PEAK] = sum
    return true
  }

  /** Keep the highest demand of a client. `excess`: the peak as a multiple of what the limit allows. */
  noteExcess (client: number, limit: number, excess: number, peak: number): void {
    const cells = this.#excess
    const first = client * EXCESS_CELLS
    if (excess <= cells[first + EXCESS]) return
    cells[first + EXCESS] = excess
    cells[first + EXCESS_PEAK] = peak
    cells[first + EXCESS_LIMIT] = limit
  }

  /** Leave out the parts that are no longer in the window. */
  #advance (first: number, last: number, part: number): void {
    const cells = this.#cells
    for (let step = 1; step <= Math.min(part - last, PARTS + 1); step++) {
      const cell = first + FIRST_PART + (last + step) % (PARTS + 1)
      cells[first + SUM] -= cells[cell]
      cells[cell] = 0
    }
  }

  /** Put a limit into the first row of a client, or add a row after that. */
  #addRow (client: number, limit: number): number {
    if (this.#words[client * WORDS + LIMIT] === 0) {
      this.#words[client * WORDS + LIMIT] = limit + 1
      return client
    }
    const row = this.#createRow()
    const words = this.#words
    words[row * WORDS + LIMIT] = limit + 1
    words[row * WORDS + NEXT] = words[client * WORDS + NEXT]
    words[client * WORDS + NEXT] = row + 1
    return row
  }

  #createRow (): number {
    const free = this.#freeRows.pop()
    if (free === undefined) return this.#append()
    this.#cells.fill(0, free * CELLS, (free + 1) * CELLS)
    return free
  }

  #append (): number {
    if ((this.#rows + 1) * CELLS > this.#cells.length) {
      this.#cells = double(this.#cells)
      this.#words = new Uint32Array(this.#cells.buffer)
      this.#excess = double(this.#excess)
    }
    return this.#rows++
  }
}

function double (cells: Float64Array): Float64Array<ArrayBuffer> {
  const longer = new Float64Array(cells.length * 2)
  longer.set(cells)
  return longer
}
