import type { LeaseStanding } from '../redis/wire-format.js'
import type { Limit, Standing } from '../store.js'

/** When a reply was decided and known. */
export interface ReplyTimes {
  /** By the clock of the store. */
  readonly atUs: number
  /** Before the call was sent, by the clock of the process. */
  readonly sentAtUs: number
  readonly nowUs: number
}

/** The state of a bucket as far as this process knows it: the last reply of the store, and what was spent here since. */
export class BucketEstimate {
  readonly #limit: Limit
  readonly #intervalUs: number
  /** Token bucket: its TAT by the clock of the process, without the unspent units of this process. */
  #tatUs = 0
  /** The same without the unspent units of all processes: not later than in the store. */
  #spentTatUs = 0
  /** Fixed window: the units that are neither used nor leased, and its end by the clock of the process. */
  #freeUnits = 0
  #windowEndUs = 0
  /** The clock of the store minus the clock of the process. */
  #offsetUs = 0

  constructor (limit: Limit) {
    this.#limit = limit
    this.#intervalUs = limit.windowUs / limit.max
  }

  /** Take over a reply. `unspent`: leased units of this process, which the reply counts as used. */
  update ({ remaining, resetUs, lease }: LeaseStanding, unspent: number, { atUs, sentAtUs, nowUs }: ReplyTimes): void {
    this.#offsetUs = atUs - nowUs
    this.#freeUnits = remaining
    this.#windowEndUs = nowUs + resetUs
    this.#tatUs = nowUs + resetUs - unspent * this.#intervalUs
    // A reply may be known long after it was decided. A microsecond less, as the reset is rounded up.
    if (lease !== undefined) this.#spentTatUs = sentAtUs + resetUs - lease.apart * this.#intervalUs - 1
  }

  /** Units were spent, or, below 0, given back. */
  use (units: number, nowUs: number): void {
    const us = units * this.#intervalUs
    this.#tatUs = Math.max(nowUs, this.#tatUs) + us
    this.#spentTatUs = Math.max(nowUs, this.#spentTatUs) + us
  }

  /** Reserved units were spent. Their lease may have ended at `endUs` in the meantime: in the store they drain since then. */
  settle (units: number, endUs: number, nowUs: number): void {
    if (nowUs <= endUs) {
      this.use(units, nowUs)
      return
    }
    const tatUs = endUs + units * this.#intervalUs
    this.#tatUs = Math.max(this.#tatUs, tatUs)
    this.#spentTatUs = Math.max(this.#spentTatUs, tatUs)
  }

  /** The time of the store. */
  storeTimeUs (nowUs: number): number {
    return nowUs + this.#offsetUs
  }

  /** Time until nothing is used any more, microseconds. */
  resetUs (nowUs: number): number {
    const endUs = this.#limit.algorithm === 'fixed-window' ? this.#windowEndUs : this.#tatUs
    return Math.max(0, Math.ceil(endUs - nowUs))
  }

  /** Units that can still be taken. `left`: those in hand. */
  remaining (left: number, resetUs: number): number {
    const { algorithm, capacity } = this.#limit
    const free = algorithm === 'fixed-window' ? this.#freeUnits + left : capacity - Math.ceil(resetUs / this.#intervalUs)
    return Math.max(left, Math.min(capacity, free))
  }

  /**
   * Time until the units that were just spent have drained at the earliest, microseconds. A refund must not give back units
   * that have drained.
   */
  drainedUs (nowUs: number): number {
    return Math.max(0, Math.floor(this.#spentTatUs - nowUs))
  }

  /** A standing that the store returned, with the units in hand, which it counts as used. */
  addLeft (standing: Standing, left: number): Standing {
    if (left === 0) return standing
    const { algorithm, capacity } = this.#limit
    const leftUs = algorithm === 'fixed-window' ? 0 : Math.floor(left * this.#intervalUs)
    return { ...standing, remaining: Math.min(capacity, standing.remaining + left), resetUs: Math.max(0, standing.resetUs - leftUs) }
  }
}
