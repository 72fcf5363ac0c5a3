/*
 * How many units to lease. Enough that few calls are needed, and few enough that units do not lapse and that other
 * processes find some. The size doubles while leases are used up quickly, and halves when units lapse.
 */

/** Units within one lease's life that make a bucket busy. */
export const MIN_DEMAND = 8

const FIRST_UNITS = 8
const MIN_UNITS = 4

/** Leases of up to so many units may last for half of their life, ... */
const SMALL_UNITS = 32
/** ... and larger ones for so long at the current pace, microseconds. */
const AHEAD_US = 100_000

/** Units are asked for again when those in hand last for so long. */
const RENEW_US = 30_000

/** The same before the end of a lease, or while so many units are used. */
const RENEW_UNITS = 2

/** Units that are used up within this time cannot lapse, so a lease of them may be more than a fair share. */
const SOON_US = 10_000

/** How long a bucket is not leased after its leases have lapsed, in lives of a lease. */
const REST_LIVES = 8

const MAX_UNITS = 1_000_000

/** The size of the next lease of one bucket. */
export class LeaseSizing {
  readonly #gridUs: number
  #units = FIRST_UNITS
  /** Units per microsecond at which the last lease was spent. */
  #pace = 0
  #restUntilUs = 0
  /** Units that the store was asked for in this life of a lease, and in the one before. */
  #demand: number
  #demandBefore = 0
  #demandSinceUs: number

  constructor (gridUs: number, demand: number, nowUs: number) {
    this.#gridUs = gridUs
    this.#demand = demand
    this.#demandSinceUs = nowUs
  }

  /** Count units that the store was asked for. Returns whether that is enough for a lease. */
  countDemand (units: number, nowUs: number): boolean {
    const lifeUs = 2 * this.#gridUs
    const elapsedUs = nowUs - this.#demandSinceUs
    if (elapsedUs >= lifeUs) {
      this.#demandBefore = elapsedUs >= 2 * lifeUs ? 0 : this.#demand
      this.#demand = 0
      this.#demandSinceUs = nowUs
    }
    this.#demand += units
    return this.#demand + this.#demandBefore >= MIN_DEMAND
  }

  /** Units to ask for; 0 while the bucket rests. */
  wanted (nowUs: number): number {
    return nowUs < this.#restUntilUs ? 0 : this.#units
  }

  /** Units that are used within milliseconds. */
  get soon (): number {
    return Math.min(MAX_UNITS, Math.floor(this.#pace * SOON_US))
  }

  /** How many units may be left in a lease of this size when more are asked for. */
  lowMark (size: number): number {
    return Math.min(size - 1, Math.max(1, Math.ceil(this.#pace * RENEW_US)))
  }

  /** How long before the end of a lease more units are asked for: by a check that finds units in hand, and does not wait. */
  get renewUs (): number {
    return Math.min(this.#gridUs / 4, Math.max(RENEW_US, RENEW_UNITS / this.#pace))
  }

  /** Learn from a lease that is being used: of `size` units, `used` were spent in this time. */
  observe (size: number, used: number, tookUs: number): void {
    this.#pace = used / Math.max(1, tookUs)
    const isQuick = size < SMALL_UNITS ? tookUs < this.#gridUs : tookUs < AHEAD_US / 2
    if (isQuick) this.#units = Math.max(this.#units, Math.min(2 * size, MAX_UNITS))
    else if (size > SMALL_UNITS && tookUs > 2 * AHEAD_US) this.#units = Math.max(SMALL_UNITS, size >> 1)
  }

  /** Learn from a lease that ended with unspent units. */
  observeLapse (size: number, left: number, nowUs: number): void {
    if (left * 8 <= size) return
    this.#units = size >> 1
    if (this.#units >= MIN_UNITS) return
    this.#units = FIRST_UNITS
    this.#restUntilUs = nowUs + REST_LIVES * 2 * this.#gridUs
  }
}
