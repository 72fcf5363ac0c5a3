import type { Clock } from '../common/clock.js'

/** Counts per doubling of the time: a time is known to a fifth of its length. */
const STEPS_PER_DOUBLING = 4

/** Up to more than the longest deadline. */
const STEPS = 24 * STEPS_PER_DOUBLING

/** Latency is that of the last one to two intervals. */
const INTERVAL_US = 300_000_000

/** The latency and the failures of one store, for the operator page: it needs no metrics. */
export class StoreActivity {
  /** Calls that failed, or that were not made because of the breaker. */
  errors = 0
  /** Requests that the failure mode decided. */
  fallbacks = 0
  readonly #clock: Clock
  #current = new Uint32Array(STEPS)
  #previous = new Uint32Array(STEPS)
  #startedUs: number

  constructor (clock: Clock) {
    this.#clock = clock
    this.#startedUs = clock.nowUs()
  }

  /** Count a successful call by its duration, microseconds. */
  observe (tookUs: number): void {
    this.#current[Math.min(STEPS - 1, Math.floor(Math.log2(Math.max(1, tookUs)) * STEPS_PER_DOUBLING))]++
  }

  /** Milliseconds, of the last 5 to 10 minutes. `null` without a call. */
  get latencyMs (): { readonly p50: number, readonly p99: number } | null {
    this.#rotate()
    const counts = this.#current.map((count, step) => count + this.#previous[step])
    const total = counts.reduce((sum, count) => sum + count, 0)
    return total === 0 ? null : { p50: findQuantileMs(counts, total / 2), p99: findQuantileMs(counts, total * 0.99) }
  }

  /** The page looks every few seconds, so calls need no look at the clock. */
  #rotate (): void {
    const nowUs = this.#clock.nowUs()
    const elapsed = Math.floor((nowUs - this.#startedUs) / INTERVAL_US)
    if (elapsed < 1) return
    this.#previous = elapsed === 1 ? this.#current : new Uint32Array(STEPS)
    this.#current = new Uint32Array(STEPS)
    this.#startedUs += elapsed * INTERVAL_US
  }
}

/** The end of the step in which the calls up to this rank are. */
function findQuantileMs (counts: Uint32Array, rank: number): number {
  let seen = 0
  const step = counts.findIndex((count) => {
    seen += count
    return seen >= rank
  })
  return Math.round(2 ** ((step + 1) / STEPS_PER_DOUBLING)) / 1000
}
