/*
 * How many units to lease, and when to ask for more. A lease is sized by the pace at which this process uses the bucket: few
 * calls are needed, few units lapse, and other processes find some.
 *
 * Leases end on a grid, one to two grids after they were granted. A bucket that renews once per grid finds units in hand all
 * the time, so a slow bucket asks for what it uses in a grid.
 */

/** Units within one lease's life, but at most within this time, that make a bucket busy. In a longer one, the sketch would fill up. */
export const MIN_DEMAND = 8
const MAX_DEMAND_US = 2_000_000

/** The time within which a bucket that is not known must be asked for so many units to be busy, microseconds. */
export function computeDemandUs (gridUs: number): number { return Math.min(2 * gridUs, MAX_DEMAND_US) }

/** The first lease. A next one is at most so many times as large as the one before. */
const FIRST_UNITS = 8
const GROWTH = 4
const MIN_UNITS = 4

/** Leases of up to so many units last for a grid and a part of it, ... */
const SMALL_UNITS = 256
const GRIDS = 1.25
const RESERVE_UNITS = 2
/** ... and larger ones for so long at the current pace, microseconds. */
const AHEAD_US = 100_000

/** Units are asked for again when those in hand last for so long, or are so small a part of their lease, ... */
const RENEW_US = 30_000
const RENEW_SHARE = 0.2
/** ... and before the end of a lease while so many units are used: some request comes by, and many renewals share a call. */
const RENEW_UNITS = 12

/** Units that are used up within this time cannot lapse, so a lease of them may be more than a fair share. */
const SOON_US = 10_000

/** After so many leases in a row of which more than half has lapsed, a bucket is not leased for some lives of a lease. */
const MAX_LAPSES = 3
const REST_LIVES = 8

/** The demand that makes a bucket busy again after a pause, if its leases were used before. */
const RETURN_DEMAND = 3

/** The pace is measured over at least so many units, or half a grid. Fewer units show only that requests come irregularly. */
const MIN_SAMPLE = 8
/** A measurement of so many units counts as much as all before it. */
const HALF_SAMPLE = 32

/** A bucket that is not used for so many lives of a lease pauses. */
const PAUSE_LIVES = 2

const MAX_UNITS = 1_000_000

/** The size of the next lease of one bucket. */
export class LeaseSizing {
  readonly #gridUs: number
  /** Where this bucket renews between the first and the last time that suits it, 0 to 1: not all buckets at once. */
  readonly #phase: number
  /** Units that the next lease may have at most. */
  #most = FIRST_UNITS
  /** Units per microsecond that this process uses. */
  #pace: number
  #used = 0
  #sinceUs: number
  #restUntilUs = 0
  /** Leases in a row of which more than half has lapsed. */
  #lapses = 0
  /** Whether half of a lease was used since the last rest. */
  #isProven = false
  /** Units that the store was asked for in this life of a lease, and in the one before. */
  #demand: number
  #demandBefore = 0
  #demandSinceUs: number

  constructor (gridUs: number, demand: number, phase: number, nowUs: number) {
    this.#gridUs = gridUs
    this.#phase = phase
    this.#pace = MIN_DEMAND / computeDemandUs(gridUs)
    this.#demand = demand
    this.#demandSinceUs = nowUs
    this.#sinceUs = nowUs
  }

  /** Count units that the store was asked for. Returns whether that is enough for a lease. */
  countDemand (units: number, nowUs: number): boolean {
    this.#startLife(nowUs)
    this.#demand += units
    return this.#isBusy(0)
  }

  /** Count units of a bucket that is not busy with them either. Returns false, and counts nothing, if it is busy. */
  countIdle (units: number, nowUs: number): boolean {
    this.#startLife(nowUs)
    if (this.#isBusy(units)) return false
    this.#demand += units
    this.#used += units
    this.observe(nowUs)
    return true
  }

  #startLife (nowUs: number): void {
    const lifeUs = 2 * this.#gridUs
    const elapsedUs = nowUs - this.#demandSinceUs
    if (elapsedUs < lifeUs) return
    this.#demandBefore = elapsedUs >= 2 * lifeUs ? 0 : this.#demand
    this.#demand = 0
    this.#demandSinceUs = nowUs
  }

  /** `units`: those that are not counted yet. */
  #isBusy (units: number): boolean {
    const demand = this.#demand + this.#demandBefore + units
    return demand >= MIN_DEMAND || (demand >= RETURN_DEMAND && this.#isProven && this.#lapses < 2 && !this.isSlow)
  }

  /** Count units that this process used. */
  use (units: number): void { this.#used += units }

  /** Measure the pace. */
  observe (nowUs: number): void {
    const spanUs = nowUs - this.#sinceUs
    if (spanUs <= 0 || (this.#used < MIN_SAMPLE && spanUs * 2 < this.#gridUs)) return
    // A pause says nothing about the pace after it.
    const isPause = spanUs > 2 * PAUSE_LIVES * this.#gridUs
    const weight = isPause ? 0 : Math.max(spanUs / (spanUs + this.#gridUs), this.#used / (this.#used + HALF_SAMPLE))
    this.#pace += (this.#used / spanUs - this.#pace) * weight
    this.#used = 0
    this.#sinceUs = nowUs
  }

  /** Units to ask for, beside those in hand that will be used in time; 0 while the bucket rests. */
  wanted (inHand: number, nowUs: number): number {
    if (nowUs < this.#restUntilUs) return 0
    const small = Math.min(SMALL_UNITS, Math.ceil(this.#pace * this.#gridUs * GRIDS) + RESERVE_UNITS)
    const units = Math.max(small, Math.ceil(this.#pace * AHEAD_US)) - inHand
    return Math.min(this.#most, MAX_UNITS, Math.max(MIN_UNITS, units))
  }

  /** Units that are used within milliseconds. */
  get soon (): number {
    return Math.min(MAX_UNITS, Math.floor(this.#pace * SOON_US))
  }

  /** Whether the bucket is so slow that a lease is not worth a renewal. A check that finds no lease asks the store. */
  get isSlow (): boolean { return this.#pace * 2 * this.#gridUs < MIN_DEMAND / 2 }

  /** How many units may be left in a lease of this size when more are asked for. */
  lowMark (size: number): number {
    const used = this.#pace * RENEW_US
    // Requests come irregularly.
    return Math.min(size - 1, Math.max(1, Math.floor(size * RENEW_SHARE), Math.ceil(used + 2 * Math.sqrt(used))))
  }

  /** How long before the end of a lease more units are asked for: by a check that finds units in hand, and does not wait. */
  get renewUs (): number {
    const leastUs = Math.min(this.#gridUs, Math.max(RENEW_US, RENEW_UNITS / this.#pace))
    return leastUs + this.#phase * Math.max(0, this.#gridUs - leastUs)
  }

  /** The time in which so many units are used at the current pace, microseconds. */
  lastsUs (units: number): number { return units / this.#pace }

  /** Units that are used in this time at the current pace. */
  usedIn (us: number): number { return Math.ceil(this.#pace * us) }

  /** Learn from a lease of which half was used: a larger one is worth trying. */
  grow (size: number): void {
    this.#lapses = 0
    this.#isProven = true
    this.#most = Math.max(this.#most, Math.min(GROWTH * size, MAX_UNITS))
  }

  /** Learn from a lease that ended with unspent units. */
  observeLapse (size: number, left: number, nowUs: number): void {
    if (left * 2 <= size) return
    this.#most = Math.max(FIRST_UNITS, size >> 1)
    if (++this.#lapses < MAX_LAPSES) return
    this.#lapses = 0
    this.#isProven = false
    this.#restUntilUs = nowUs + REST_LIVES * 2 * this.#gridUs
  }
}
