import { createCheckResult, type CheckResult } from '../lib/algorithms/check-result.js'
import { assessFixedWindow } from '../lib/algorithms/fixed-window.js'
import { leasesEndUs, shareUnits, type LeasedBucket, type LeaseReport, type LeaseRequest } from '../lib/algorithms/lease.js'
import type { Quota } from '../lib/algorithms/quota.js'
import type { Rules } from './lease-rules.js'

/** Units that were leased. All times of the model are ticks from now, of one microsecond each. */
export interface Grant {
  readonly units: number
  readonly slotIn: number
  readonly endIn: number
}

export interface Report {
  readonly slotIn: number
  readonly spent: number
  readonly returned: number
}

/** What the store keeps of the bucket: its times are relative to now. */
export type StoredBucket = Readonly<LeasedBucket>

export interface Renewal {
  readonly bucket: StoredBucket | null
  readonly grant: Grant | null
}

/** A moment of a multiple of each grid, so that no time is negative. */
const START_US = 1_000_000 * 2 * 3 * 4 * 5

const NO_REPORT: LeaseReport = { slotEndUs: 0, spent: 0, returned: 0 }

/** One bucket in Redis. Calls the functions in the order of lib/stores/redis/scripts/take.lua. */
export class LeaseStore {
  readonly quota: Quota
  readonly gridUs: number
  readonly #rules: Rules
  readonly #result: CheckResult = createCheckResult()

  constructor (quota: Quota, gridUs: number, rules: Rules) {
    this.quota = quota
    this.gridUs = gridUs
    this.#rules = rules
  }

  get isWindow (): boolean {
    return this.quota.algorithm === 'fixed-window'
  }

  /** Charge units at a phase of the grid. Returns the bucket with them, or null if they are refused. */
  take (stored: StoredBucket | null, cost: number, phase: number): { bucket: StoredBucket | null, resetUs: number } | null {
    const nowUs = START_US + phase
    const bucket = this.#load(stored, nowUs)
    const result = this.#assess(bucket, cost, nowUs)
    if (!result.granted) return null
    this.#keep(bucket)
    return { bucket: this.#save(bucket, nowUs), resetUs: result.resetUs }
  }

  /** Give back units of an exact take that filled the backlog for `untilIn` ticks from now. */
  refund (stored: StoredBucket | null, units: number, untilIn: number, phase: number): StoredBucket | null {
    if (stored === null) return null
    const nowUs = START_US + phase
    const bucket = this.#load(stored, nowUs)
    this.#rules.refund(this.quota, bucket, { units, chargedAtUs: nowUs, chargedUntilUs: nowUs + untilIn }, nowUs, this.#result)
    this.#keep(bucket)
    return this.#save(bucket, nowUs)
  }

  /** Take reports, then lease units. */
  renew (stored: StoredBucket | null, reports: readonly Report[], want: number, phase: number): Renewal {
    const nowUs = START_US + phase
    const bucket = this.#load(stored, nowUs)
    const list = reports.map((report) => ({ ...report, slotEndUs: report.slotIn + nowUs }))
    const request: LeaseRequest = { gridUs: this.gridUs, want, soon: want, reports: [list[0] ?? NO_REPORT, list[1] ?? NO_REPORT] }
    const grant = this.isWindow ? this.#renewWindow(bucket, request, nowUs) : this.#renewTokens(bucket, request, nowUs)
    return { bucket: this.#save(bucket, nowUs), grant }
  }

  /** Twin of reset.lua. */
  reset (stored: StoredBucket | null, phase: number): StoredBucket | null {
    const nowUs = START_US + phase
    const bucket = this.#load(stored, nowUs)
    return bucket.slotEndUs > 0 && this.#rules.close(bucket, nowUs) ? this.#save(bucket, nowUs) : null
  }

  /** A version without leases writes the bucket: only the TAT is left. */
  dropLeases (stored: StoredBucket, phase: number): StoredBucket | null {
    const nowUs = START_US + phase
    const { timeUs, count } = this.#load(stored, nowUs)
    return this.#save({ timeUs, count, slotEndUs: 0, gridUs: 0, apart: 0, apartNext: 0 }, nowUs)
  }

  /** Move a bucket by a number of ticks: time passes, or the clock is another one. */
  move (stored: StoredBucket | null, ticks: number): StoredBucket | null {
    if (stored === null) return null
    return { ...stored, timeUs: stored.timeUs - ticks, slotEndUs: stored.slotEndUs - ticks }
  }

  /** The bucket as the next call finds it, which is the same for the call: so more states are equal. */
  advance (stored: StoredBucket | null, phase: number): StoredBucket | null {
    if (stored === null) return null
    const nowUs = START_US + phase
    const bucket = this.#load(stored, nowUs)
    this.#assess(bucket, 0, nowUs)
    this.#keep(bucket)
    return this.#save(bucket, nowUs)
  }

  /** Whether Redis has deleted the key. */
  isExpired (stored: StoredBucket | null, phase: number): boolean {
    return stored !== null && this.#save(this.#toAbsolute(stored, START_US + phase), START_US + phase) === null
  }

  #assess (bucket: LeasedBucket, cost: number, nowUs: number): CheckResult {
    const assess = this.isWindow ? assessFixedWindow : this.#rules.take
    assess(this.quota, bucket, cost, nowUs, this.#result)
    return this.#result
  }

  #keep (bucket: LeasedBucket): void {
    bucket.timeUs = this.#result.timeUs
    bucket.count = this.#result.count
  }

  #renewTokens (bucket: LeasedBucket, request: LeaseRequest, nowUs: number): Grant | null {
    const { quota } = this
    if (bucket.slotEndUs > 0) {
      this.#assess(bucket, 0, nowUs)
      this.#keep(bucket)
      this.#rules.settle(quota, bucket, request.reports, nowUs)
    }
    if (request.want === 0) return null
    const { granted, remaining } = this.#assess(bucket, 0, nowUs)
    if (!granted) return null
    this.#keep(bucket)
    this.#rules.open(bucket, request.gridUs, nowUs)
    const units = this.#rules.lease(quota, bucket, remaining, request, nowUs)
    const slotIn = bucket.slotEndUs + bucket.gridUs - nowUs
    return units === 0 ? null : { units, slotIn, endIn: slotIn }
  }

  #renewWindow (bucket: LeasedBucket, request: LeaseRequest, nowUs: number): Grant | null {
    const { windowUs } = this.quota
    for (const { slotEndUs, returned } of request.reports) {
      if (bucket.timeUs + windowUs === slotEndUs) bucket.count = Math.max(0, bucket.count - returned)
    }
    const result = this.#assess(bucket, 0, nowUs)
    const units = shareUnits(result.remaining, request.want, request.soon)
    if (units === 0) return null
    bucket.timeUs = result.timeUs
    bucket.count = result.count + units
    const slotIn = bucket.timeUs + windowUs - nowUs
    return { units, slotIn, endIn: Math.min(slotIn, 2 * this.gridUs) }
  }

  #load (stored: StoredBucket | null, nowUs: number): LeasedBucket {
    const bucket = this.#toAbsolute(stored, nowUs)
    if (!this.isWindow) this.#rules.advance(this.quota, bucket, nowUs)
    return bucket
  }

  #toAbsolute (stored: StoredBucket | null, nowUs: number): LeasedBucket {
    if (stored === null) return { timeUs: 0, count: 0, slotEndUs: 0, gridUs: 0, apart: 0, apartNext: 0 }
    return { ...stored, timeUs: stored.timeUs + nowUs, slotEndUs: stored.gridUs === 0 ? 0 : stored.slotEndUs + nowUs }
  }

  #save (bucket: LeasedBucket, nowUs: number): StoredBucket | null {
    if (this.#keptUntilUs(bucket) <= nowUs) return null
    return { ...bucket, timeUs: bucket.timeUs - nowUs, slotEndUs: bucket.slotEndUs === 0 ? 0 : bucket.slotEndUs - nowUs }
  }

  /** Twin of bucketTtlUs in bucket.lua. */
  #keptUntilUs (bucket: LeasedBucket): number {
    if (this.isWindow) return bucket.count === 0 ? 0 : bucket.timeUs + this.quota.windowUs
    const usedUntilUs = bucket.timeUs + (bucket.count > 0 ? 1 : 0)
    return bucket.slotEndUs === 0 ? usedUntilUs : Math.max(usedUntilUs, leasesEndUs(this.quota, bucket))
  }
}
