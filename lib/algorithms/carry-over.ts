import type { Quota } from './quota.js'
import { createGrantLog, type GrantLog } from './sliding-window.js'
import type { CheckResult } from './check-result.js'

/*
 * What was used stays used, in units, when the numbers of a limit change: 50 of 100 is 50 of 1000, and more than the
 * new capacity is all of it. Ages within a window keep their share of it: half-way through a minute is half-way
 * through ten seconds. So nobody gets a fresh bucket by a change, and nobody waits longer than the new window.
 */

/** The numbers that a bucket was written under. */
export type WrittenQuota = Pick<Quota, 'max' | 'windowUs' | 'capacity' | 'intervalDen'>

/** Errors of the doubles' last bits must not make a whole number of units look like one more, just begun. */
const ROUNDING_US = 1 / 1024

/** Whether a bucket of the same algorithm can be read as it stands. */
export function isWrittenUnder (written: WrittenQuota, quota: Quota): boolean {
  return written.max === quota.max && written.windowUs === quota.windowUs && written.capacity === quota.capacity
}

/** A TAT under other numbers. Writes it into `verdict`. */
export function carryTokenBucket (written: WrittenQuota, quota: Quota, tatUs: number, tatNum: number, nowUs: number, result: CheckResult): void {
  const backlogUs = Math.max(0, tatUs - nowUs + tatNum / written.intervalDen)
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

/** A window's start and units under other numbers. Writes them into `verdict`. */
export function carryFixedWindow (written: WrittenQuota, quota: Quota, startUs: number, used: number, nowUs: number, result: CheckResult): void {
  const isOver = nowUs - startUs >= written.windowUs
  result.timeUs = nowUs - carryAge(written, quota, startUs, nowUs)
  result.count = isOver ? 0 : Math.min(used, quota.max)
}

/** A log under other numbers. Of more units than the new `max`, those that leave the window first are dropped. */
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
