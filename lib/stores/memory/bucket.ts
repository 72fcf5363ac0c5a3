import { assessFixedWindow, chargeFixedWindow, refundFixedWindow } from '../../algorithms/fixed-window.js'
import {
  assessSlidingWindow, chargeSlidingWindow, createGrantLog, refundSlidingWindow, slidingWindowEndUs
} from '../../algorithms/sliding-window.js'
import { carryFixedWindow, carryGrantLog, carryTokenBucket } from '../../algorithms/carry-over.js'
import type { BucketState, Refund } from '../../algorithms/bucket-state.js'
import type { Quota } from '../../algorithms/quota.js'
import type { GrantLog } from '../../algorithms/sliding-window.js'
import { assessTokenBucket, chargeTokenBucket, refundTokenBucket } from '../../algorithms/token-bucket.js'
import { createCheckResult, type CheckResult } from '../../algorithms/check-result.js'
import type { Limit } from '../store.js'

/** One bucket, read for the numbers of one limit. */
export interface Bucket extends BucketState {
  timeUs: number
  count: number
  /** Sliding windows only; `null` before the first grant. */
  log: GrantLog | null
}

/** The log of an absent bucket. An assessment does not change it. */
const NO_GRANTS = createGrantLog()

/** Turn a bucket into an absent one: nothing is used, under every algorithm. */
export function clearBucket (bucket: Bucket, nowUs: number): void {
  bucket.timeUs = nowUs
  bucket.count = 0
  bucket.log = null
}

/** Convert a bucket that was written under one limit to the numbers of another. Used units stay used. */
export function convertBucket (bucket: Bucket, written: Quota, limit: Quota, nowUs: number): void {
  if (limit.max === 0) {
    clearBucket(bucket, nowUs)
  } else if (written.algorithm !== limit.algorithm) {
    assessBucket(written, bucket, 0, nowUs, scratch)
    const used = written.capacity - scratch.remaining
    clearBucket(bucket, nowUs)
    chargeBucket(limit, bucket, Math.min(used, limit.capacity), nowUs, scratch)
    bucket.timeUs = scratch.timeUs
    bucket.count = scratch.count
  } else {
    carryOver(bucket, written, limit, nowUs)
  }
}

function carryOver (bucket: Bucket, written: Quota, limit: Quota, nowUs: number): void {
  if (limit.algorithm === 'sliding-window') {
    if (bucket.log !== null) bucket.log = carryGrantLog(written, limit, bucket.log, nowUs)
    return
  }
  const carry = limit.algorithm === 'token-bucket' ? carryTokenBucket : carryFixedWindow
  carry(written, limit, bucket, nowUs, scratch)
  bucket.timeUs = scratch.timeUs
  bucket.count = scratch.count
}

export function assessBucket (quota: Quota, bucket: Bucket, cost: number, nowUs: number, result: CheckResult): void {
  switch (quota.algorithm) {
    case 'token-bucket': return assessTokenBucket(quota, bucket, cost, nowUs, result)
    case 'fixed-window': return assessFixedWindow(quota, bucket, cost, nowUs, result)
    case 'sliding-window': return assessSlidingWindow(quota, bucket.log ?? NO_GRANTS, cost, nowUs, result)
    default: quota.algorithm satisfies never
  }
}

/** Use units without a check. Writes the bucket to store into `result` and `bucket.log`. */
export function chargeBucket (quota: Quota, bucket: Bucket, units: number, nowUs: number, result: CheckResult): void {
  switch (quota.algorithm) {
    case 'token-bucket': return chargeTokenBucket(quota, bucket, units, nowUs, result)
    case 'fixed-window': return chargeFixedWindow(quota, bucket, units, nowUs, result)
    case 'sliding-window':
      bucket.log ??= createGrantLog()
      return chargeSlidingWindow(quota, bucket.log, units, nowUs, result)
    default: quota.algorithm satisfies never
  }
}

/** Give back units of an earlier charge. Writes the bucket to store into `result` and `bucket.log`. */
export function refundBucket (quota: Quota, bucket: Bucket, refund: Refund, nowUs: number, result: CheckResult): void {
  switch (quota.algorithm) {
    case 'token-bucket': return refundTokenBucket(quota, bucket, refund, nowUs, result)
    case 'fixed-window': return refundFixedWindow(quota, bucket, refund, nowUs, result)
    case 'sliding-window':
      bucket.log ??= createGrantLog()
      return refundSlidingWindow(quota, bucket.log, refund, nowUs, result)
    default: quota.algorithm satisfies never
  }
}

/** Whether nothing is used any more. The bucket is then equal to an absent one. */
export function hasExpired (limit: Limit, timeUs: number, count: number, log: GrantLog | null, nowUs: number): boolean {
  switch (limit.algorithm) {
    case 'token-bucket': return timeUs < nowUs || (timeUs === nowUs && count === 0)
    case 'fixed-window': return count === 0 || nowUs - timeUs >= limit.windowUs
    case 'sliding-window': return log === null || slidingWindowEndUs(limit, log) <= nowUs
    default: return limit.algorithm satisfies never
  }
}

const scratch = createCheckResult()
