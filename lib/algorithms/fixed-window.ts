import type { Quota } from './quota.js'
import type { Verdict } from './verdict.js'

/*
 * Fixed window that starts with its first request. A bucket is the window's start and the units used in it;
 * `used` 0 means that no window is open.
 */

/** Decide whether `cost` units can be taken now. Writes the answer, and the window to store, into `verdict`. */
export function assessFixedWindow (quota: Quota, startUs: number, used: number, cost: number, nowUs: number, verdict: Verdict): void {
  settle(quota, startUs, used, nowUs, verdict)
  const isPossible = cost <= quota.max && quota.max !== 0
  verdict.granted = isPossible && verdict.count + cost <= quota.max
  if (verdict.granted) verdict.count += cost
  stateStanding(quota, nowUs, verdict)
  verdict.delayUs = 0
  verdict.retryUs = verdict.granted ? 0 : isPossible ? verdict.resetUs : 'never'
}

/**
 * Add `units` that were used without asking. A window holds at most twice its `max`: what goes beyond
 * would change nothing, for the debt ends with the window.
 */
export function chargeFixedWindow (quota: Quota, startUs: number, used: number, units: number, nowUs: number, verdict: Verdict): void {
  settle(quota, startUs, used, nowUs, verdict)
  verdict.count = Math.min(verdict.count + units, 2 * quota.max)
  stateStanding(quota, nowUs, verdict)
}

/** Give units back that were charged at `chargedAtUs`, if the window of that time is still the open one. */
export function refundFixedWindow (quota: Quota, startUs: number, used: number, units: number, chargedAtUs: number, nowUs: number, verdict: Verdict): void {
  settle(quota, startUs, used, nowUs, verdict)
  if (verdict.timeUs <= chargedAtUs) verdict.count = Math.max(0, verdict.count - units)
  stateStanding(quota, nowUs, verdict)
}

function settle (quota: Quota, startUs: number, used: number, nowUs: number, verdict: Verdict): void {
  const isOver = used === 0 || nowUs - startUs >= quota.windowUs
  // A start in the future means that the clock stepped back (a failover): the window then ends one window from now.
  verdict.timeUs = isOver ? nowUs : Math.min(startUs, nowUs)
  verdict.count = isOver ? 0 : used
}

function stateStanding (quota: Quota, nowUs: number, verdict: Verdict): void {
  verdict.remaining = Math.max(0, quota.max - verdict.count)
  verdict.resetUs = verdict.count === 0 ? 0 : verdict.timeUs + quota.windowUs - nowUs
}
