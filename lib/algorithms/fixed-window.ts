import type { BucketState, Refund } from './bucket-state.js'
import type { Quota } from './quota.js'
import type { CheckResult } from './check-result.js'

/*
 * Fixed window that starts with its first request. A bucket is the start of the window (`timeUs`) and the units used
 * in it (`count`). A count of 0 means that no window is open.
 */

/** Decide whether `cost` units can be taken now. Writes the decision, and the window to store, into `result`. */
export function assessFixedWindow (quota: Quota, bucket: BucketState, cost: number, nowUs: number, result: CheckResult): void {
  rollWindow(quota, bucket, nowUs, result)
  takeFromWindow(quota, cost, result.timeUs + quota.windowUs - nowUs, result)
}

/**
 * Add `units` that were used without a check. A window holds at most twice its `max`. More units would change nothing,
 * because the debt ends with the window.
 */
export function chargeFixedWindow (quota: Quota, bucket: BucketState, units: number, nowUs: number, result: CheckResult): void {
  rollWindow(quota, bucket, nowUs, result)
  addToWindow(quota, units, result.timeUs + quota.windowUs - nowUs, result)
}

/** Give back the units of an earlier charge, if the window of that charge is still open. */
export function refundFixedWindow (quota: Quota, bucket: BucketState, refund: Refund, nowUs: number, result: CheckResult): void {
  rollWindow(quota, bucket, nowUs, result)
  const isOpen = result.timeUs <= refund.chargedAtUs
  returnToWindow(quota, isOpen ? refund.units : 0, result.timeUs + quota.windowUs - nowUs, result)
}

function rollWindow (quota: Quota, bucket: BucketState, nowUs: number, result: CheckResult): void {
  const startUs = bucket.timeUs
  const used = bucket.count
  const isOver = used === 0 || nowUs - startUs >= quota.windowUs
  // A start in the future means that the clock stepped back (a failover). The window then ends one window from now.
  result.timeUs = isOver ? nowUs : Math.min(startUs, nowUs)
  result.count = isOver ? 0 : used
}

/** Take units from a window of which `result.count` are used, if it has them. `leftUs`: time until its end. */
export function takeFromWindow (quota: Quota, cost: number, leftUs: number, result: CheckResult): void {
  const isPossible = cost <= quota.max && quota.max !== 0
  result.granted = isPossible && result.count + cost <= quota.max
  if (result.granted) result.count += cost
  writeResult(quota, leftUs, result)
  result.delayUs = 0
  result.retryUs = result.granted ? 0 : isPossible ? result.resetUs : 'never'
}

/** Add units to a window without a check: see `chargeFixedWindow`. */
export function addToWindow (quota: Quota, units: number, leftUs: number, result: CheckResult): void {
  result.count = Math.max(result.count, Math.min(result.count + units, 2 * quota.max))
  writeResult(quota, leftUs, result)
}

/** Give units back to a window. */
export function returnToWindow (quota: Quota, units: number, leftUs: number, result: CheckResult): void {
  result.count = Math.max(0, result.count - units)
  writeResult(quota, leftUs, result)
}

function writeResult (quota: Quota, leftUs: number, result: CheckResult): void {
  result.remaining = Math.max(0, quota.max - result.count)
  result.resetUs = result.count === 0 ? 0 : leftUs
}
