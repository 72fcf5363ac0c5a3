import { assessCalendarWindow, chargeCalendarWindow, refundCalendarWindow } from '../../algorithms/calendar-window.js'
import { assessFixedWindow, chargeFixedWindow, refundFixedWindow } from '../../algorithms/fixed-window.js'
import {
  assessSlidingWindow, chargeSlidingWindow, createGrantLog, refundSlidingWindow, slidingWindowEndUs
} from '../../algorithms/sliding-window.js'
import {
  addToOveruse, carryCalendarWindow, carryFixedWindow, carryGrantLog, carryTokenBucket, countAtRisk, keepOveruse, overuseEndUs,
  type Overuse, type WrittenQuota
} from '../../algorithms/carry-over.js'
import type { BucketState, Refund } from '../../algorithms/bucket-state.js'
import type { Quota } from '../../algorithms/quota.js'
import type { GrantLog } from '../../algorithms/sliding-window.js'
import { assessTokenBucket, chargeTokenBucket, refundTokenBucket } from '../../algorithms/token-bucket.js'
import { createCheckResult, type CheckResult } from '../../algorithms/check-result.js'
import type { Limit } from '../store.js'
import type { Table } from './table.js'

/** One bucket, read for the numbers of one limit. */
export interface Bucket extends BucketState {
  timeUs: number
  count: number
  /** Sliding windows only; `null` before the first grant. */
  log: GrantLog | null
  /** `null` unless a change left more used units than the capacity. */
  overuse: Overuse | null
}

/** The log of an absent bucket. An assessment does not change it. */
const NO_GRANTS = createGrantLog()

/** Turn a bucket into an absent one: nothing is used, under every algorithm. */
export function clearBucket (bucket: Bucket, nowUs: number): void {
  bucket.timeUs = nowUs
  bucket.count = 0
  bucket.log = null
  bucket.overuse = null
}

/** Convert a bucket that was written under one limit to the numbers of another. Used units stay used. */
export function convertBucket (bucket: Bucket, written: Quota, limit: Quota, nowUs: number): void {
  if (limit.max === 0) return clearBucket(bucket, nowUs)
  const used = countAtRisk(written, limit, bucket, nowUs)
  if (written.algorithm !== limit.algorithm) {
    clearBucket(bucket, nowUs)
    bucket.overuse = { atUs: nowUs, units: used, max: written.max, windowUs: written.windowUs }
  }
  carryOver(bucket, written, limit, nowUs)
  bucket.overuse = keepOveruse(written, limit, used, nowUs)
}

function carryOver (bucket: Bucket, written: Quota, limit: Quota, nowUs: number): void {
  if (limit.algorithm === 'sliding-window') {
    if (bucket.log !== null || bucket.overuse !== null) bucket.log = carryGrantLog(written, limit, bucket, nowUs)
    return
  }
  selectCarry(limit.algorithm)(written, limit, bucket, nowUs, scratch)
  bucket.timeUs = scratch.timeUs
  bucket.count = scratch.count
}

type Carry = (written: WrittenQuota, quota: Quota, bucket: Bucket, nowUs: number, result: CheckResult) => void

function selectCarry (algorithm: Exclude<Quota['algorithm'], 'sliding-window'>): Carry {
  switch (algorithm) {
    case 'token-bucket': return carryTokenBucket
    case 'fixed-window': return carryFixedWindow
    case 'calendar-window': return carryCalendarWindow
    case 'concurrency': throw notABucket()
    default: return algorithm satisfies never
  }
}

export function assessBucket (quota: Quota, bucket: Bucket, cost: number, nowUs: number, result: CheckResult): void {
  switch (quota.algorithm) {
    case 'token-bucket': return assessTokenBucket(quota, bucket, cost, nowUs, result)
    case 'fixed-window': return assessFixedWindow(quota, bucket, cost, nowUs, result)
    case 'calendar-window': return assessCalendarWindow(quota, bucket, cost, nowUs, result)
    case 'sliding-window': return assessSlidingWindow(quota, bucket.log ?? NO_GRANTS, cost, nowUs, result)
    case 'concurrency': throw notABucket()
    default: quota.algorithm satisfies never
  }
}

/** Use units without a check. Writes the bucket to store into `result` and `bucket`. */
export function chargeBucket (quota: Quota, bucket: Bucket, units: number, nowUs: number, result: CheckResult): void {
  // As much as a debt can be: more would change nothing in the bucket either.
  noteUsed(bucket, Math.min(units, quota.capacity + quota.max), nowUs)
  switch (quota.algorithm) {
    case 'token-bucket': return chargeTokenBucket(quota, bucket, units, nowUs, result)
    case 'fixed-window': return chargeFixedWindow(quota, bucket, units, nowUs, result)
    case 'calendar-window': return chargeCalendarWindow(quota, bucket, units, nowUs, result)
    case 'sliding-window':
      bucket.log ??= createGrantLog()
      return chargeSlidingWindow(quota, bucket.log, units, nowUs, result)
    case 'concurrency': throw notABucket()
    default: quota.algorithm satisfies never
  }
}

/** Give back units of an earlier charge. Writes the bucket to store into `result` and `bucket`. */
export function refundBucket (quota: Quota, bucket: Bucket, refund: Refund, nowUs: number, result: CheckResult): void {
  if (refund.chargedUntilUs > nowUs) noteUsed(bucket, -refund.units, nowUs)
  switch (quota.algorithm) {
    case 'token-bucket': return refundTokenBucket(quota, bucket, refund, nowUs, result)
    case 'fixed-window': return refundFixedWindow(quota, bucket, refund, nowUs, result)
    case 'calendar-window': return refundCalendarWindow(quota, bucket, refund, nowUs, result)
    case 'sliding-window':
      bucket.log ??= createGrantLog()
      return refundSlidingWindow(quota, bucket.log, refund, nowUs, result)
    case 'concurrency': throw notABucket()
    default: quota.algorithm satisfies never
  }
}

/** Note units in the overuse of a bucket: see `addToOveruse`. */
export function noteUsed (bucket: Bucket, units: number, nowUs: number): void {
  if (bucket.overuse !== null && units !== 0) bucket.overuse = addToOveruse(bucket.overuse, units, nowUs)
}

/**
 * Whether an uncharged bucket must be written, because its old state must not be read again: each read would restart the wait
 * of a bucket that a clock, stepping back, left in the future. A calendar window also ends with another period if its calendar
 * has changed.
 */
export function hasMoved (quota: Quota, bucket: Bucket, result: CheckResult): boolean {
  switch (quota.algorithm) {
    case 'token-bucket':
    case 'fixed-window': return result.timeUs < bucket.timeUs
    case 'sliding-window': return false
    case 'calendar-window': return bucket.count > 0 && result.timeUs !== bucket.timeUs
    case 'concurrency': throw notABucket()
    default: return quota.algorithm satisfies never
  }
}

/** Whether nothing is used any more in a slot. The bucket is then equal to an absent one. */
export function hasExpired (limit: Limit, table: Table, slot: number, nowUs: number): boolean {
  const timeUs = table.timeAt(slot)
  const log = table.logAt(slot)
  const overuse = table.overuseAt(slot)
  if (overuse !== null && overuseEndUs(overuse) > nowUs) return false
  switch (limit.algorithm) {
    case 'token-bucket': return timeUs < nowUs || (timeUs === nowUs && table.countAt(slot) === 0)
    case 'fixed-window': return table.countAt(slot) === 0 || nowUs - timeUs >= limit.windowUs
    case 'calendar-window': return table.countAt(slot) === 0 || timeUs <= nowUs
    case 'sliding-window': return log === null || slidingWindowEndUs(limit, log) <= nowUs
    case 'concurrency': throw notABucket()
    default: return limit.algorithm satisfies never
  }
}

const scratch = createCheckResult()

/** `MemoryStore` counts requests in flight in `InFlightCounts`. */
function notABucket (): TypeError {
  return new TypeError('requests in flight have no bucket')
}
