import type { Quota } from './quota.js'
import type { CheckResult } from './check-result.js'

/*
 * Token bucket as GCRA (the virtual scheduling form of ITU-T I.371, annex A). A bucket is one instant, the
 * theoretical arrival time (TAT): `tatUs` whole microseconds and `tatNum / intervalDen` of one. Its backlog is
 * TAT - now; one unit adds an emission interval; the bucket is full of tokens when the TAT is not after now.
 *
 * A charge with patience is granted ahead of its token: its units go to the end of the line, and it is to be held until
 * what is before it, and its own units beyond the capacity, have drained.
 */

/** Decide whether `cost` units can be taken now. Writes the answer, and the TAT to store, into `verdict`. */
export function assessTokenBucket (quota: Quota, tatUs: number, tatNum: number, cost: number, nowUs: number, result: CheckResult): void {
  clampTat(quota, tatUs, tatNum, nowUs, result)
  result.delayUs = 0
  if (cost > quota.capacity || quota.max === 0) {
    result.granted = false
    result.retryUs = 'never'
  } else {
    const clampedUs = result.timeUs
    const clampedNum = result.count
    result.timeUs += cost * quota.intervalUs
    result.count += cost * quota.intervalNum
    normalizeFraction(quota, result)
    // Round up: one microsecond earlier the token is not due.
    const overUs = result.timeUs - nowUs - quota.capacityUs + (result.count > quota.capacityNum ? 1 : 0)
    result.granted = overUs <= quota.maxDelayUs
    result.retryUs = 0
    if (!result.granted) {
      result.retryUs = overUs - quota.maxDelayUs
      result.timeUs = clampedUs
      result.count = clampedNum
    } else if (overUs > 0) {
      result.delayUs = overUs
    }
  }
  writeResult(quota, nowUs, result)
}

/**
 * Add `units` that were used without asking, into debt if need be.
 * The backlog stops at the quota's ceiling, so that no debt holds a client for more than one extra window, or the
 * quota's patience.
 */
export function chargeTokenBucket (quota: Quota, tatUs: number, tatNum: number, units: number, nowUs: number, result: CheckResult): void {
  clampTat(quota, tatUs, tatNum, nowUs, result)
  // More units than the ceiling holds end at the ceiling all the same, and their product could leave 2^53.
  const bounded = Math.min(units, quota.capacity + quota.max)
  result.timeUs += bounded * quota.intervalUs
  result.count += bounded * quota.intervalNum
  normalizeFraction(quota, result)
  clampTat(quota, result.timeUs, result.count, nowUs, result)
  writeResult(quota, nowUs, result)
}

/**
 * Give back what of an earlier charge has not drained yet. That charge filled the backlog up to `chargedUntilUs`
 * (its time plus its reset); whatever lies before now came back by itself and is not given a second time.
 * A refund counts at its own time: in any interval, grants less refunds stay within the rate. A TAT does not tell that
 * an earlier refund moved this charge forward, so a late second one may give back what has drained by then.
 */
export function refundTokenBucket (quota: Quota, tatUs: number, tatNum: number, units: number, chargedUntilUs: number, nowUs: number, result: CheckResult): void {
  clampTat(quota, tatUs, tatNum, nowUs, result)
  const bounded = Math.min(units, quota.capacity + quota.max)
  const num = bounded * quota.intervalNum
  const whole = Math.floor(num / quota.intervalDen)
  const wantedUs = bounded * quota.intervalUs + whole
  const wantedNum = num - whole * quota.intervalDen
  const undrainedUs = Math.max(0, chargedUntilUs - nowUs)
  if (wantedUs < undrainedUs) {
    result.timeUs -= wantedUs
    result.count -= wantedNum
    if (result.count < 0) {
      result.timeUs -= 1
      result.count += quota.intervalDen
    }
  } else {
    result.timeUs -= undrainedUs
  }
  clampTat(quota, result.timeUs, result.count, nowUs, result)
  writeResult(quota, nowUs, result)
}

/**
 * Whether a bucket's TAT is still the one that a charge left, which filled the backlog up to `chargedUntilUs`: nobody
 * stands behind it, and giving its units back lets no newcomer be served beside the next in line.
 * Where several units fall due in one microsecond that time cannot tell, and the answer is no.
 */
export function isLastCharge (quota: Quota, tatUs: number, tatNum: number, chargedUntilUs: number): boolean {
  return quota.intervalUs > 0 && tatUs + (tatNum > 0 ? 1 : 0) === chargedUntilUs
}

/** How much of the capacity is used, 0 to 1 (more in debt). */
export function tokenBucketShare (quota: Quota, tatUs: number, nowUs: number): number {
  return quota.capacityUs === 0 ? 0 : Math.max(0, tatUs - nowUs) / quota.capacityUs
}

/** Bring a TAT between now (a bucket full of tokens) and the ceiling. */
function clampTat (quota: Quota, tatUs: number, tatNum: number, nowUs: number, result: CheckResult): void {
  const isBehind = tatUs < nowUs
  // Debt, or a clock that stepped back (a failover): the bucket must not stay shut for longer than a window.
  const isBeyond = tatUs - nowUs >= quota.ceilingUs
  result.timeUs = isBehind ? nowUs : isBeyond ? nowUs + quota.ceilingUs : tatUs
  result.count = isBehind || isBeyond ? 0 : tatNum
}

function normalizeFraction (quota: Quota, result: CheckResult): void {
  if (result.count >= quota.intervalDen) {
    const whole = Math.floor(result.count / quota.intervalDen)
    result.timeUs += whole
    result.count -= whole * quota.intervalDen
  }
}

function writeResult (quota: Quota, nowUs: number, result: CheckResult): void {
  const backlogUs = result.timeUs - nowUs
  result.resetUs = result.count > 0 ? backlogUs + 1 : backlogUs
  result.remaining = quota.max === 0 ? 0 : Math.max(0, quota.capacity - backlogToUnits(quota, backlogUs, result.count))
}

/** The units that a backlog stands for, begun ones counted whole: the smallest n with n intervals >= backlog. */
function backlogToUnits (quota: Quota, backlogUs: number, backlogNum: number): number {
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
