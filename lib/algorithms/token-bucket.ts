import type { BucketState, Refund } from './bucket-state.js'
import type { Quota } from './quota.js'
import type { CheckResult } from './check-result.js'

/*
 * Token bucket as GCRA (the virtual scheduling form of ITU-T I.371, annex A). A bucket is one instant, the
 * theoretical arrival time (TAT): `timeUs` whole microseconds plus `count / intervalDen` of one. The backlog is
 * TAT - now. One unit adds an emission interval. The bucket is full of tokens when the TAT is not after now.
 *
 * If the quota allows a delay, a charge is granted before its token is due: its units go to the end of the queue.
 * The request must be held until the earlier units, and its own units beyond the capacity, have drained.
 */

/** Decide whether `cost` units can be taken now. Writes the decision, and the TAT to store, into `result`. */
export function assessTokenBucket (quota: Quota, bucket: BucketState, cost: number, nowUs: number, result: CheckResult): void {
  clampTat(quota, bucket.timeUs, bucket.count, nowUs, result)
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
    // Round up: the token is not due one microsecond earlier.
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
 * Add `units` that were used without a check. They may put the bucket into debt.
 * The backlog ends at the quota's ceiling. So no debt blocks a client for longer than one extra window, or the
 * quota's longest delay.
 */
export function chargeTokenBucket (quota: Quota, bucket: BucketState, units: number, nowUs: number, result: CheckResult): void {
  clampTat(quota, bucket.timeUs, bucket.count, nowUs, result)
  // The ceiling cuts off more units than this, and their product could exceed 2^53.
  const bounded = Math.min(units, quota.capacity + quota.max)
  result.timeUs += bounded * quota.intervalUs
  result.count += bounded * quota.intervalNum
  normalizeFraction(quota, result)
  clampTat(quota, result.timeUs, result.count, nowUs, result)
  writeResult(quota, nowUs, result)
}

/**
 * Give back the units of an earlier charge that have not drained yet. That charge filled the backlog up to
 * `chargedUntilUs` (its time plus its reset). Units before now have drained and are not given back a second time.
 * A refund counts at its own time: in any interval, grants less refunds stay within the rate. A TAT does not contain
 * that an earlier refund moved this charge forward. So a late second refund may give back units that have drained.
 */
export function refundTokenBucket (quota: Quota, bucket: BucketState, refund: Refund, nowUs: number, result: CheckResult): void {
  clampTat(quota, bucket.timeUs, bucket.count, nowUs, result)
  const bounded = Math.min(refund.units, quota.capacity + quota.max)
  const num = bounded * quota.intervalNum
  const whole = Math.floor(num / quota.intervalDen)
  const wantedUs = bounded * quota.intervalUs + whole
  const wantedNum = num - whole * quota.intervalDen
  const undrainedUs = Math.max(0, refund.chargedUntilUs - nowUs)
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
 * Whether the TAT is still the one that a charge left when it filled the backlog up to `chargedUntilUs`.
 * Then no request waits behind that charge, and its units can be given back: no new request is served together with
 * the next one in the queue. Returns false where several units are due in one microsecond: the time is then ambiguous.
 */
export function isLastCharge (quota: Quota, bucket: BucketState, chargedUntilUs: number): boolean {
  return quota.intervalUs > 0 && bucket.timeUs + (bucket.count > 0 ? 1 : 0) === chargedUntilUs
}

/**
 * The remaining units of a bucket of which only the reset is known. `null` if two numbers are possible: the reset is
 * rounded up to a microsecond.
 */
export function findRemaining (quota: Quota, resetUs: number): number | null {
  const units = backlogToUnits(quota, resetUs, 0)
  const isRounded = quota.intervalDen > 1 && resetUs > 0
  return isRounded && backlogToUnits(quota, resetUs - 1, 1) !== units ? null : Math.max(0, quota.capacity - units)
}

/** Limit a TAT to the range from now (a bucket full of tokens) to the ceiling. */
function clampTat (quota: Quota, tatUs: number, tatNum: number, nowUs: number, result: CheckResult): void {
  const isBehind = tatUs < nowUs
  // Debt, or a clock that stepped back (a failover): the bucket must not refuse for longer than a window.
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
  result.remaining = Math.max(0, quota.capacity - backlogToUnits(quota, backlogUs, result.count))
}

/** The units of a backlog, rounded up: the smallest n with n intervals >= backlog. */
function backlogToUnits (quota: Quota, backlogUs: number, backlogNum: number): number {
  const { intervalUs, intervalNum, intervalDen } = quota
  if (intervalDen === 1) return Math.ceil(backlogUs / intervalUs)
  const scaled = backlogUs * intervalDen + backlogNum
  const units = Math.ceil(scaled / (intervalUs * intervalDen + intervalNum))
  if (scaled <= Number.MAX_SAFE_INTEGER) return units
  // The quotient was rounded and can be one too high or too low. The exact product decides.
  if (isCovered(quota, units - 1, backlogUs, backlogNum)) return units - 1
  return isCovered(quota, units, backlogUs, backlogNum) ? units : units + 1
}

function isCovered (quota: Quota, units: number, backlogUs: number, backlogNum: number): boolean {
  const num = units * quota.intervalNum
  const whole = Math.floor(num / quota.intervalDen)
  const us = units * quota.intervalUs + whole
  return us > backlogUs || (us === backlogUs && num - whole * quota.intervalDen >= backlogNum)
}
