import type { Quota } from './quota.js'
import type { Verdict } from './verdict.js'

/*
 * Token bucket as GCRA (the virtual scheduling form of ITU-T I.371, annex A). A bucket is one instant, the
 * theoretical arrival time (TAT): `tatUs` whole microseconds and `tatNum / intervalDen` of one. Its backlog is
 * TAT - now; one unit adds an emission interval; the bucket is full of tokens when the TAT is not after now.
 */

/** Decide whether `cost` units can be taken now. Writes the answer, and the TAT to store, into `verdict`. */
export function assessTokenBucket (quota: Quota, tatUs: number, tatNum: number, cost: number, nowUs: number, verdict: Verdict): void {
  if (tatUs < nowUs) {
    tatUs = nowUs
    tatNum = 0
  } else if (tatUs - nowUs > quota.ceilingUs) {
    // The clock stepped back (a failover): a backlog beyond the ceiling never came from charges.
    tatUs = nowUs + quota.ceilingUs
    tatNum = 0
  }
  verdict.timeUs = tatUs
  verdict.count = tatNum
  if (cost > quota.capacity || quota.max === 0) {
    verdict.granted = false
    verdict.retryUs = 'never'
  } else {
    verdict.timeUs += cost * quota.intervalUs
    verdict.count += cost * quota.intervalNum
    carry(quota, verdict)
    const overUs = verdict.timeUs - nowUs - quota.capacityUs
    const isNumOver = verdict.count > quota.capacityNum
    verdict.granted = overUs < 0 || (overUs === 0 && !isNumOver)
    verdict.retryUs = 0
    if (!verdict.granted) {
      // Round up: one microsecond earlier the token is not due.
      verdict.retryUs = isNumOver ? overUs + 1 : overUs
      verdict.timeUs = tatUs
      verdict.count = tatNum
    }
  }
  stateStanding(quota, nowUs, verdict)
}

/**
 * Add `units` that were used without asking, into debt if need be.
 * The backlog stops at the quota's ceiling, so that no debt holds a client for more than one extra window.
 */
export function chargeTokenBucket (quota: Quota, tatUs: number, tatNum: number, units: number, nowUs: number, verdict: Verdict): void {
  const isAhead = tatUs >= nowUs
  verdict.timeUs = isAhead ? tatUs : nowUs
  verdict.count = isAhead ? tatNum : 0
  // More units than the ceiling holds end at the ceiling all the same, and their product could leave 2^53.
  const bounded = Math.min(units, quota.capacity + quota.max)
  verdict.timeUs += bounded * quota.intervalUs
  verdict.count += bounded * quota.intervalNum
  carry(quota, verdict)
  if (verdict.timeUs - nowUs >= quota.ceilingUs) {
    verdict.timeUs = nowUs + quota.ceilingUs
    verdict.count = 0
  }
  stateStanding(quota, nowUs, verdict)
}

/**
 * Give back what of an earlier charge has not drained yet. That charge filled the backlog up to `chargedUntilUs`
 * (its time plus its reset); whatever lies before now came back by itself and is not given a second time.
 */
export function refundTokenBucket (quota: Quota, tatUs: number, tatNum: number, units: number, chargedUntilUs: number, nowUs: number, verdict: Verdict): void {
  verdict.timeUs = tatUs
  verdict.count = tatNum
  const bounded = Math.min(units, quota.capacity + quota.max)
  const num = bounded * quota.intervalNum
  const whole = Math.floor(num / quota.intervalDen)
  const wantedUs = bounded * quota.intervalUs + whole
  const wantedNum = num - whole * quota.intervalDen
  const undrainedUs = Math.max(0, chargedUntilUs - nowUs)
  if (wantedUs < undrainedUs) {
    verdict.timeUs -= wantedUs
    verdict.count -= wantedNum
    if (verdict.count < 0) {
      verdict.timeUs -= 1
      verdict.count += quota.intervalDen
    }
  } else {
    verdict.timeUs -= undrainedUs
  }
  if (verdict.timeUs < nowUs) {
    verdict.timeUs = nowUs
    verdict.count = 0
  }
  stateStanding(quota, nowUs, verdict)
}

/** How much of the capacity is used, 0 to 1 (more in debt). */
export function tokenBucketShare (quota: Quota, tatUs: number, nowUs: number): number {
  return quota.capacityUs === 0 ? 0 : Math.max(0, tatUs - nowUs) / quota.capacityUs
}

function carry (quota: Quota, verdict: Verdict): void {
  if (verdict.count >= quota.intervalDen) {
    const whole = Math.floor(verdict.count / quota.intervalDen)
    verdict.timeUs += whole
    verdict.count -= whole * quota.intervalDen
  }
}

function stateStanding (quota: Quota, nowUs: number, verdict: Verdict): void {
  const backlogUs = verdict.timeUs - nowUs
  verdict.resetUs = verdict.count > 0 ? backlogUs + 1 : backlogUs
  verdict.remaining = quota.max === 0 ? 0 : Math.max(0, quota.capacity - unitsIn(quota, backlogUs, verdict.count))
}

/** The units that a backlog stands for, begun ones counted whole: the smallest n with n intervals >= backlog. */
function unitsIn (quota: Quota, backlogUs: number, backlogNum: number): number {
  const { intervalUs, intervalNum, intervalDen } = quota
  if (intervalDen === 1) return Math.ceil(backlogUs / intervalUs)
  const scaled = backlogUs * intervalDen + backlogNum
  const units = Math.ceil(scaled / (intervalUs * intervalDen + intervalNum))
  if (scaled <= Number.MAX_SAFE_INTEGER) return units
  // The quotient was rounded: it can be one off either way, and the exact product tells.
  if (isCovered(quota, units - 1, backlogUs, backlogNum)) return units - 1
  return isCovered(quota, units, backlogUs, backlogNum) ? units : units + 1
}

function isCovered (quota: Quota, units: number, backlogUs: number, backlogNum: number): boolean {
  const num = units * quota.intervalNum
  const whole = Math.floor(num / quota.intervalDen)
  const us = units * quota.intervalUs + whole
  return us > backlogUs || (us === backlogUs && num - whole * quota.intervalDen >= backlogNum)
}
