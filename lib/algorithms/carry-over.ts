import type { Quota } from './quota.js'
import { emptyGrantLog, type GrantLog } from './sliding-window.js'
import type { Verdict } from './verdict.js'

/*
 * What was used stays used, in units, when the numbers of a limit change: 50 of 100 is 50 of 1000, and more than the
 * new capacity is all of it. Ages within a window keep their share of it: half-way through a minute is half-way
 * through ten seconds. So nobody gets a fresh bucket by a change, and nobody waits longer than the new window.
 */

/** The numbers that a bucket was written under. */
export type WrittenUnder = Pick<Quota, 'max' | 'windowUs' | 'capacity' | 'intervalDen'>

/** Errors of the doubles' last bits must not make a whole number of units look like one more, just begun. */
const ROUNDING_US = 1 / 1024

/** Whether a bucket of the same algorithm can be read as it stands. */
export function isWrittenUnder (written: WrittenUnder, quota: Quota): boolean {
  return written.max === quota.max && written.windowUs === quota.windowUs && written.capacity === quota.capacity
}

/** A TAT under other numbers. Writes it into `verdict`. */
export function carryTokenBucket (written: WrittenUnder, quota: Quota, tatUs: number, tatNum: number, nowUs: number, verdict: Verdict): void {
  const backlogUs = Math.max(0, tatUs - nowUs + tatNum / written.intervalDen)
  const units = backlogUs * written.max / written.windowUs
  if (units >= quota.capacity) {
    verdict.timeUs = nowUs + quota.capacityUs
    verdict.count = quota.capacityNum
    return
  }
  const carriedUs = Math.max(0, backlogUs * (written.max * quota.windowUs / (written.windowUs * quota.max)) - ROUNDING_US)
  const wholeUs = Math.floor(carriedUs)
  const num = Math.ceil((carriedUs - wholeUs) * quota.intervalDen)
  const isWhole = num >= quota.intervalDen
  verdict.timeUs = nowUs + wholeUs + (isWhole ? 1 : 0)
  verdict.count = isWhole ? 0 : num
}

/** A window's start and units under other numbers. Writes them into `verdict`. */
export function carryFixedWindow (written: WrittenUnder, quota: Quota, startUs: number, used: number, nowUs: number, verdict: Verdict): void {
  const isOver = nowUs - startUs >= written.windowUs
  verdict.timeUs = nowUs - carriedAge(written, quota, startUs, nowUs)
  verdict.count = isOver ? 0 : Math.min(used, quota.max)
}

/** A log under other numbers. Of more units than the new `max`, those that leave the window first are dropped. */
export function carryGrantLog (written: WrittenUnder, quota: Quota, log: GrantLog, nowUs: number): GrantLog {
  const carried = emptyGrantLog()
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
    carried.push(nowUs - carriedAge(written, quota, log[entry], nowUs), units)
    carried[1] += units
  }
  carried[0] = nowUs - carriedAge(written, quota, log[0], nowUs)
  return carried
}

function carriedAge (written: WrittenUnder, quota: Quota, sinceUs: number, nowUs: number): number {
  const ageUs = Math.min(Math.max(0, nowUs - sinceUs), written.windowUs)
  return Math.floor(ageUs * (quota.windowUs / written.windowUs))
}
