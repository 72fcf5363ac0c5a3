import type { BucketState } from './bucket-state.js'
import type { Quota } from './quota.js'
import { createGrantLog, type GrantLog } from './sliding-window.js'
import type { CheckResult } from './check-result.js'

/*
 * When the numbers of a limit change, used units stay used: 50 of 100 become 50 of 1000. More than the new capacity
 * becomes all of it. The age within a window is scaled: half of a minute becomes half of ten seconds.
 * So no change gives a client a fresh bucket, and no client waits longer than the new window.
 */

/** The numbers that a bucket was written under. */
export type WrittenQuota = Pick<Quota, 'max' | 'windowUs' | 'capacity' | 'intervalDen'>

/** Rounding errors in the last bits of a double must not turn a whole number of units into one more. */
const ROUNDING_US = 1 / 1024

/** Whether a bucket of the same algorithm can be read without conversion. */
export function isWrittenUnder (written: WrittenQuota, quota: Quota): boolean {
  return written.max === quota.max && written.windowUs === quota.windowUs && written.capacity === quota.capacity
}

/** Convert a TAT to other numbers. Writes it into `result`, which may be `bucket` itself. */
export function carryTokenBucket (written: WrittenQuota, quota: Quota, bucket: BucketState, nowUs: number, result: CheckResult): void {
  const backlogUs = Math.max(0, bucket.timeUs - nowUs + bucket.count / written.intervalDen)
  const units = backlogUs * written.max / written.windowUs
  if (units >= quota.capacity) {
    result.timeUs = nowUs + quota.capacityUs
    result.count = quota.capacityNum
    return
  }
  const carriedUs = Math.max(0, backlogUs * (written.max * quota.windowUs / (written.windowUs * quota.max)) - ROUNDING_US)
  const wholeUs = Math.floor(carriedUs)
  const num = Math.ceil((carriedUs - wholeUs) * quota.intervalDen)
  const isWhole = num >= quota.intervalDen
  result.timeUs = nowUs + wholeUs + (isWhole ? 1 : 0)
  result.count = isWhole ? 0 : num
}

/** Convert the start and units of a window to other numbers. Writes them into `result`, which may be `bucket` itself. */
export function carryFixedWindow (written: WrittenQuota, quota: Quota, bucket: BucketState, nowUs: number, result: CheckResult): void {
  const startUs = bucket.timeUs
  const used = bucket.count
  const isOver = nowUs - startUs >= written.windowUs
  result.timeUs = nowUs - carryAge(written, quota, startUs, nowUs)
  result.count = isOver ? 0 : Math.min(used, quota.max)
}

/** Convert a log to other numbers. If it has more units than the new `max`, those that expire first are dropped. */
export function carryGrantLog (written: WrittenQuota, quota: Quota, log: GrantLog, nowUs: number): GrantLog {
  const carried = createGrantLog()
  let excess = -quota.max
  for (let entry = 2; entry < log.length; entry += 2) {
    if (nowUs - log[entry] < written.windowUs) excess += log[entry + 1]
  }
  for (let entry = 2; entry < log.length; entry += 2) {
    if (nowUs - log[entry] >= written.windowUs) continue
    const dropped = Math.max(0, Math.min(excess, log[entry + 1]))
    excess -= dropped
    const units = log[entry + 1] - dropped
    if (units === 0) continue
    carried.push(nowUs - carryAge(written, quota, log[entry], nowUs), units)
    carried[1] += units
  }
  carried[0] = nowUs - carryAge(written, quota, log[0], nowUs)
  return carried
}

function carryAge (written: WrittenQuota, quota: Quota, sinceUs: number, nowUs: number): number {
  const ageUs = Math.min(Math.max(0, nowUs - sinceUs), written.windowUs)
  return Math.floor(ageUs * (quota.windowUs / written.windowUs))
}
