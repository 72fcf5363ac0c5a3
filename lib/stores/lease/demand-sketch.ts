import type { Hash } from '../memory/hash.js'

/** Counters of one limit. */
const COUNTERS = 32_768
const MAX_COUNT = 255

/**
 * Finds the busy partitions of a limit in bounded memory: a count-min sketch (Cormode, Muthukrishnan) with two counters per
 * partition, cleared at an interval. Partitions that share both counters with others seem busier than they are.
 */
export class DemandSketch {
  readonly #counts = new Uint8Array(COUNTERS)
  readonly #hash: Hash
  readonly #intervalUs: number
  #sinceUs = 0

  constructor (hash: Hash, intervalUs: number) {
    this.#hash = hash
    this.#intervalUs = intervalUs
  }

  /** Count units of the partition whose hash is given. Returns how many it used in this interval, at most 255. */
  add (units: number, nowUs: number): number {
    if (nowUs - this.#sinceUs >= this.#intervalUs) {
      this.#counts.fill(0)
      this.#sinceUs = nowUs
    }
    const first = this.#hash.word0 & (COUNTERS - 1)
    const second = this.#hash.word1 & (COUNTERS - 1)
    const counts = this.#counts
    const count = Math.min(MAX_COUNT, Math.min(counts[first], counts[second]) + units)
    // Only the smaller counter grows (conservative update), so that partitions that share one disturb each other less.
    if (counts[first] < count) counts[first] = count
    if (counts[second] < count) counts[second] = count
    return count
  }
}
