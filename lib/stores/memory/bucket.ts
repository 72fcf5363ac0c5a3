import { assessFixedWindow, chargeFixedWindow, refundFixedWindow } from '../../algorithms/fixed-window.js'
import { assessSlidingWindow, chargeSlidingWindow, createGrantLog, refundSlidingWindow, slidingWindowEndUs } from '../../algorithms/sliding-window.js'
import { carryFixedWindow, carryGrantLog, carryTokenBucket } from '../../algorithms/carry-over.js'
import type { Quota } from '../../algorithms/quota.js'
import type { GrantLog } from '../../algorithms/sliding-window.js'
import { assessTokenBucket, chargeTokenBucket, refundTokenBucket, tokenBucketShare } from '../../algorithms/token-bucket.js'
import { createCheckResult, type CheckResult } from '../../algorithms/check-result.js'
import type { Limit } from '../store.js'

/** One bucket, read for the numbers of one limit. */
export interface Bucket {
  timeUs: number
  count: number
  /** Sliding windows only; `null` where nothing was granted yet. */
  log: GrantLog | null
}

/** Stands for the log of an absent bucket. Assessing leaves it as it is. */
const NO_GRANTS = createGrantLog()

/** An absent bucket: nothing used, under every algorithm. */
export function clearBucket (bucket: Bucket, nowUs: number): void {
  bucket.timeUs = nowUs
  bucket.count = 0
  bucket.log = null
}

/** Turn a bucket that was written under one limit into one for the numbers of another: what was used stays used. */
export function convertBucket (bucket: Bucket, written: Limit, limit: Limit, nowUs: number): void {
  if (limit.max === 0) {
    clearBucket(bucket, nowUs)
  } else if (written.algorithm !== limit.algorithm) {
    assess(written, bucket, 0, nowUs, scratch)
    const used = written.capacity - scratch.remaining
    clearBucket(bucket, nowUs)
    charge(limit, bucket, Math.min(used, limit.capacity), nowUs, scratch)
    bucket.timeUs = scratch.timeUs
    bucket.count = scratch.count
  } else {
    carryOver(bucket, written, limit, nowUs)
  }
}

function carryOver (bucket: Bucket, written: Limit, limit: Limit, nowUs: number): void {
  if (limit.algorithm === 'sliding-window') {
    if (bucket.log !== null) bucket.log = carryGrantLog(written, limit, bucket.log, nowUs)
    return
  }
  const carry = limit.algorithm === 'token-bucket' ? carryTokenBucket : carryFixedWindow
  carry(written, limit, bucket.timeUs, bucket.count, nowUs, scratch)
  bucket.timeUs = scratch.timeUs
  bucket.count = scratch.count
}

export function assess (limit: Quota, bucket: Bucket, cost: number, nowUs: number, result: CheckResult): void {
  switch (limit.algorithm) {
    case 'token-bucket': return assessTokenBucket(limit, bucket.timeUs, bucket.count, cost, nowUs, result)
    case 'fixed-window': return assessFixedWindow(limit, bucket.timeUs, bucket.count, cost, nowUs, result)
    case 'sliding-window': return assessSlidingWindow(limit, bucket.log ?? NO_GRANTS, cost, nowUs, result)
    default: limit.algorithm satisfies never
  }
}

/** Use units without asking. Writes the bucket to store into `verdict` and `bucket.log`. */
export function charge (limit: Quota, bucket: Bucket, units: number, nowUs: number, result: CheckResult): void {
  switch (limit.algorithm) {
    case 'token-bucket': return chargeTokenBucket(limit, bucket.timeUs, bucket.count, units, nowUs, result)
    case 'fixed-window': return chargeFixedWindow(limit, bucket.timeUs, bucket.count, units, nowUs, result)
    case 'sliding-window':
      bucket.log ??= createGrantLog()
      return chargeSlidingWindow(limit, bucket.log, units, nowUs, result)
    default: limit.algorithm satisfies never
  }
}

/** Give back units of a charge at `atUs` that left the bucket `resetUs` from full. Writes as `charge` does. */
export function refund (limit: Quota, bucket: Bucket, units: number, atUs: number, resetUs: number, nowUs: number, result: CheckResult): void {
  switch (limit.algorithm) {
    case 'token-bucket': return refundTokenBucket(limit, bucket.timeUs, bucket.count, units, atUs + resetUs, nowUs, result)
    case 'fixed-window': return refundFixedWindow(limit, bucket.timeUs, bucket.count, units, atUs, nowUs, result)
    case 'sliding-window':
      bucket.log ??= createGrantLog()
      return refundSlidingWindow(limit, bucket.log, units, atUs, nowUs, result)
    default: limit.algorithm satisfies never
  }
}

/** Whether nothing is used any more, so that the bucket says no more than an absent one. */
export function hasExpired (limit: Limit, timeUs: number, count: number, log: GrantLog | null, nowUs: number): boolean {
  switch (limit.algorithm) {
    case 'token-bucket': return timeUs < nowUs || (timeUs === nowUs && count === 0)
    case 'fixed-window': return count === 0 || nowUs - timeUs >= limit.windowUs
    case 'sliding-window': return log === null || slidingWindowEndUs(limit, log) <= nowUs
    default: return limit.algorithm satisfies never
  }
}

/** How much of the capacity is used, 0 to 1, more in debt: what its owner would gain if the bucket were forgotten. */
export function usedShare (limit: Limit, timeUs: number, count: number, log: GrantLog | null, nowUs: number): number {
  if (limit.max === 0 || hasExpired(limit, timeUs, count, log, nowUs)) return 0
  switch (limit.algorithm) {
    case 'token-bucket': return tokenBucketShare(limit, timeUs, nowUs)
    case 'fixed-window': return count / limit.max
    case 'sliding-window': return slidingShare(limit, log ?? NO_GRANTS, nowUs)
    default: return limit.algorithm satisfies never
  }
}

const scratch = createCheckResult()

function slidingShare (limit: Limit, log: GrantLog, nowUs: number): number {
  assessSlidingWindow(limit, log, 0, nowUs, scratch)
  return (limit.max - scratch.remaining) / limit.max
}
