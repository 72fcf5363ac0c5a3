import type { Quota } from './quota.js'
import type { CheckResult } from './check-result.js'

/*
 * Fixed window that starts with its first request. A bucket is the window's start and the units used in it;
 * `used` 0 means that no window is open.
 */

/** Decide whether `cost` units can be taken now. Writes the answer, and the window to store, into `verdict`. */
export function assessFixedWindow (quota: Quota, startUs: number, used: number, cost: number, nowUs: number, result: CheckResult): void {
  rollWindow(quota, startUs, used, nowUs, result)
  const isPossible = cost <= quota.max && quota.max !== 0
  result.granted = isPossible && result.count + cost <= quota.max
  if (result.granted) result.count += cost
  writeResult(quota, nowUs, result)
  result.delayUs = 0
  result.retryUs = result.granted ? 0 : isPossible ? result.resetUs : 'never'
}

/**
 * Add `units` that were used without asking. A window holds at most twice its `max`: what goes beyond
 * would change nothing, for the debt ends with the window.
 */
export function chargeFixedWindow (quota: Quota, startUs: number, used: number, units: number, nowUs: number, result: CheckResult): void {
  rollWindow(quota, startUs, used, nowUs, result)
  result.count = Math.min(result.count + units, 2 * quota.max)
  writeResult(quota, nowUs, result)
}

/** Give units back that were charged at `chargedAtUs`, if the window of that time is still the open one. */
export function refundFixedWindow (quota: Quota, startUs: number, used: number, units: number, chargedAtUs: number, nowUs: number, result: CheckResult): void {
  rollWindow(quota, startUs, used, nowUs, result)
  if (result.timeUs <= chargedAtUs) result.count = Math.max(0, result.count - units)
  writeResult(quota, nowUs, result)
}

function rollWindow (quota: Quota, startUs: number, used: number, nowUs: number, result: CheckResult): void {
  const isOver = used === 0 || nowUs - startUs >= quota.windowUs
  // A start in the future means that the clock stepped back (a failover): the window then ends one window from now.
  result.timeUs = isOver ? nowUs : Math.min(startUs, nowUs)
  result.count = isOver ? 0 : used
}

function writeResult (quota: Quota, nowUs: number, result: CheckResult): void {
  result.remaining = Math.max(0, quota.max - result.count)
  result.resetUs = result.count === 0 ? 0 : result.timeUs + quota.windowUs - nowUs
}
