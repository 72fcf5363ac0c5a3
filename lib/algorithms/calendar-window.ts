import type { BucketState, Refund } from './bucket-state.js'
import type { Period } from './calendar.js'
import type { CheckResult } from './check-result.js'
import { addToWindow, returnToWindow, takeFromWindow } from './fixed-window.js'
import type { Quota } from './quota.js'

/*
 * Window that ends with a period of a calendar: an hour, a day, a month. A bucket is the end of the period that its units
 * count in (`timeUs`), and the units (`count`).
 *
 * The units count until that end. Each use of the bucket moves the end to that of the current period. So units are kept if
 * another time zone or anchor changes the periods, and after a clock stepped back, no client waits longer than the current
 * period.
 */

/** Decide whether `cost` units can be taken now. Writes the decision, and the bucket to store, into `result`. */
export function assessCalendarWindow (quota: Quota, bucket: BucketState, cost: number, nowUs: number, result: CheckResult): void {
  advancePeriod(quota, bucket, nowUs, result)
  takeFromWindow(quota, cost, result.timeUs - nowUs, result)
}

/** Add `units` that were used without a check. A window holds at most twice its `max`: the debt ends with the period. */
export function chargeCalendarWindow (quota: Quota, bucket: BucketState, units: number, nowUs: number, result: CheckResult): void {
  advancePeriod(quota, bucket, nowUs, result)
  addToWindow(quota, units, result.timeUs - nowUs, result)
}

/** Give back the units of an earlier charge, if it was made in the current period. */
export function refundCalendarWindow (quota: Quota, bucket: BucketState, refund: Refund, nowUs: number, result: CheckResult): void {
  advancePeriod(quota, bucket, nowUs, result)
  const isCurrent = refund.chargedAtUs >= findPeriod(quota, nowUs).startUs
  returnToWindow(quota, isCurrent ? refund.units : 0, result.timeUs - nowUs, result)
}

/** The current period of a calendar window. */
export function findPeriod ({ calendar }: Quota, nowUs: number): Period {
  if (calendar === null) throw new TypeError('a calendar window without a calendar')
  return calendar.periodAt(nowUs)
}

function advancePeriod (quota: Quota, bucket: BucketState, nowUs: number, result: CheckResult): void {
  const endUs = bucket.timeUs
  const isOver = bucket.count === 0 || endUs <= nowUs
  // A clock that stepped back may have left an end that is too far away.
  const isKept = !isOver && quota.calendar?.keepsEnd === true && endUs - nowUs <= quota.ceilingUs
  result.count = isOver ? 0 : bucket.count
  result.timeUs = isKept ? endUs : findPeriod(quota, nowUs).endUs
}
