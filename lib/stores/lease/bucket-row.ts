import type { LeaseStanding } from '../redis/wire-format.js'
import type { Limit, Standing } from '../store.js'
import { createRows, ROW_NUMBERS, ROW_WORDS, type Rows } from './bucket-table.js'
import type { LeasedStanding, LeaseHolder } from './leased-standing.js'

/** Integers of a row, after the hash and the number of the bucket. Unspent units of the current lease, and of the next one. */
export const LEFT = 4
export const AHEAD = 5
/** A check that leaves no more units, or that comes at `UNTIL_US` or later, has more to do than to spend them. */
const LOW_MARK = 6
/** The `id` of the current lease. */
const LEASE_ID = 7

/** Doubles of a row, after the integers. */
const UNTIL_US = 4
/** Token bucket: its TAT by the clock of the process, without the unspent units of this process. Fixed window: its end. */
const EMPTY_AT_US = 5
/** Token bucket: the TAT without the unspent units of all processes, not later than in the store. */
const SPENT_EMPTY_AT_US = 6
/** Fixed window, in the same place: the units that are neither used nor leased. */
const FREE = 6
/** The clock of the store minus the clock of the process. */
const OFFSET_US = 7

/** Nothing is written to it. */
const NO_ROW = createRows(1)

/** When a reply was decided and known. */
export interface ReplyTimes {
  /** By the clock of the store. */
  readonly atUs: number
  /** Before the call was sent, by the clock of the process. */
  readonly sentAtUs: number
  readonly nowUs: number
}

/**
 * A row of the table: the units in hand of one bucket, and its state as far as this process knows it, which is the last
 * reply of the store and what was spent here since.
 */
export class BucketRow {
  readonly limit: Limit
  readonly #holder: LeaseHolder
  readonly #isWindow: boolean
  readonly #intervalUs: number
  #words = NO_ROW.words
  #numbers = NO_ROW.numbers
  #row = 0

  /** `holder`: of the units. The row is selected when the bucket is added to a table. */
  constructor (limit: Limit, holder: LeaseHolder) {
    this.limit = limit
    this.#holder = holder
    this.#isWindow = limit.algorithm === 'fixed-window'
    this.#intervalUs = limit.windowUs / limit.max
  }

  /** Select the row that the other methods are about. */
  select ({ words, numbers }: Rows, row: number): this {
    this.#words = words
    this.#numbers = numbers
    this.#row = row
    return this
  }

  /** Select another row, and write to it what is in this one; 0 before any was selected. */
  moveTo (rows: Rows, row: number): void {
    const words = this.#words.subarray(this.#wordsAt + LEFT, this.#wordsAt + ROW_WORDS)
    rows.words.set(words, row * ROW_WORDS + LEFT)
    this.select(rows, row)
  }

  get #wordsAt (): number { return this.#row * ROW_WORDS }

  get #numbersAt (): number { return this.#row * ROW_NUMBERS }

  /** Units of one of the two leases. */
  getUnits (of: typeof LEFT | typeof AHEAD): number { return this.#words[this.#wordsAt + of] }

  setUnits (of: typeof LEFT | typeof AHEAD, units: number): void { this.#words[this.#wordsAt + of] = units }

  /** The `id` of the current lease; 0 without one. */
  get leaseId (): number { return this.#words[this.#wordsAt + LEASE_ID] }

  /** `spend` may spend the current lease down to above `lowMark` units, before `untilUs`. */
  setBounds (leaseId: number, lowMark: number, untilUs: number): void {
    this.#words[this.#wordsAt + LEASE_ID] = leaseId
    this.#words[this.#wordsAt + LOW_MARK] = lowMark
    this.#numbers[this.#numbersAt + UNTIL_US] = untilUs
  }

  /** Spend units of the current lease, if that is all there is to do. Returns whether it is. */
  spend (cost: number, nowUs: number): boolean {
    const words = this.#words
    const at = this.#wordsAt
    const left = words[at + LEFT] - cost
    if (left <= words[at + LOW_MARK] || nowUs >= this.#numbers[this.#numbersAt + UNTIL_US]) return false
    words[at + LEFT] = left
    this.use(cost, nowUs)
    return true
  }

  /** Take over a reply. `unspent`: leased units of this process, which the reply counts as used. */
  update ({ remaining, resetUs, lease }: LeaseStanding, unspent: number, { atUs, sentAtUs, nowUs }: ReplyTimes): void {
    const numbers = this.#numbers
    const at = this.#numbersAt
    numbers[at + OFFSET_US] = atUs - nowUs
    if (this.#isWindow) {
      numbers[at + EMPTY_AT_US] = nowUs + resetUs
      numbers[at + FREE] = remaining
      return
    }
    numbers[at + EMPTY_AT_US] = nowUs + resetUs - unspent * this.#intervalUs
    // A reply may be known long after it was decided. A microsecond less, as the reset is rounded up.
    if (lease !== undefined) numbers[at + SPENT_EMPTY_AT_US] = sentAtUs + resetUs - lease.apart * this.#intervalUs - 1
  }

  /** Units were spent, or, below 0, given back. A window ends when it ends. */
  use (units: number, nowUs: number): void {
    if (this.#isWindow) return
    const numbers = this.#numbers
    const at = this.#numbersAt
    const us = units * this.#intervalUs
    numbers[at + EMPTY_AT_US] = Math.max(nowUs, numbers[at + EMPTY_AT_US]) + us
    numbers[at + SPENT_EMPTY_AT_US] = Math.max(nowUs, numbers[at + SPENT_EMPTY_AT_US]) + us
  }

  /** Reserved units were spent. Their lease may have ended at `endUs` in the meantime: in the store they drain since then. */
  settle (units: number, endUs: number, nowUs: number): void {
    if (nowUs <= endUs || this.#isWindow) {
      this.use(units, nowUs)
      return
    }
    const numbers = this.#numbers
    const at = this.#numbersAt
    const emptyAtUs = endUs + units * this.#intervalUs
    numbers[at + EMPTY_AT_US] = Math.max(numbers[at + EMPTY_AT_US], emptyAtUs)
    numbers[at + SPENT_EMPTY_AT_US] = Math.max(numbers[at + SPENT_EMPTY_AT_US], emptyAtUs)
  }

  /** The state of the bucket after a charge that a lease has paid, with its leases turned to now. */
  createStanding (partition: string, charged: number, leaseId: number, nowUs: number): LeasedStanding {
    const numbers = this.#numbers
    const at = this.#numbersAt
    const left = this.getUnits(LEFT) + this.getUnits(AHEAD)
    const resetUs = Math.max(0, Math.ceil(numbers[at + EMPTY_AT_US] - nowUs))
    const free = this.#isWindow ? numbers[at + FREE] + left : this.limit.capacity - Math.ceil(resetUs / this.#intervalUs)
    return {
      limit: this.limit,
      partition,
      charged,
      atUs: nowUs + numbers[at + OFFSET_US],
      granted: true,
      remaining: Math.max(left, Math.min(this.limit.capacity, free)),
      resetUs,
      delayUs: 0,
      retryUs: 0,
      blockedUs: 0,
      leaseId,
      holder: this.#holder,
      drainedUs: this.#isWindow ? resetUs : Math.max(0, Math.floor(numbers[at + SPENT_EMPTY_AT_US] - nowUs))
    }
  }

  /** A standing that the store returned, with the units in hand, which it counts as used. */
  addLeft (standing: Standing, left: number): Standing {
    if (left === 0) return standing
    const { capacity } = this.limit
    const leftUs = this.#isWindow ? 0 : Math.floor(left * this.#intervalUs)
    return { ...standing, remaining: Math.min(capacity, standing.remaining + left), resetUs: Math.max(0, standing.resetUs - leftUs) }
  }
}
