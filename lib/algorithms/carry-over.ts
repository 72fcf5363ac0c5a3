import type { BucketState } from './bucket-state.js'
import { findPeriod } from './calendar-window.js'
import type { Quota } from './quota.js'
import { appendGrant, createGrantLog, type GrantLog } from './sliding-window.js'
import type { CheckResult } from './check-result.js'

/*
 * When the numbers of a limit change, used units stay used: 50 of 100 become 50 of 1000. The age within a window is
 * scaled: half of a minute becomes half of ten seconds. So no change gives a client a fresh bucket.
 *
 * If more units are used than the new capacity, all of it is used, and no client waits longer than the new window. The
 * number of units is then kept beside the bucket, as `Overuse`: a later limit with more capacity must not grant them again.
 */

/** The numbers that a bucket was written under. */
export type WrittenQuota = Pick<Quota, 'algorithm' | 'max' | 'windowUs' | 'capacity' | 'intervalDen'>

/** Used units of a bucket, kept since a change after which they exceeded the capacity. */
export interface Overuse {
  readonly atUs: number
  /** Used units at that time, a fraction included. */
  readonly units: number
  /** They drain at the faster rate of the limits before and after the change: `max` units in `windowUs`. */
  readonly max: number
  readonly windowUs: number
}

/** A bucket with all that a change must carry over. */
export interface CarriedBucket extends BucketState {
  readonly log: GrantLog | null
  readonly overuse: Overuse | null
}

/** Five bytes: the most that a bucket in Redis counts. */
const MAX_UNITS = 2 ** 40 - 1

/** Rounding errors in the last bits of a double must not turn a whole number of units into one more. */
const ROUNDING_US = 1 / 1024
const ROUNDING_UNITS = 1 / 1024 / 1024

/** Whether a bucket of the same algorithm can be read without conversion. */
export function isWrittenUnder (written: WrittenQuota, quota: Quota): boolean {
  return written.max === quota.max && written.windowUs === quota.windowUs && written.capacity === quota.capacity
}

/** The used units that are kept beside a bucket. */
export function countOveruse (overuse: Overuse | null, nowUs: number): number {
  if (overuse === null) return 0
  return Math.max(0, overuse.units - Math.max(0, nowUs - overuse.atUs) * overuse.max / overuse.windowUs)
}

/** Add units that a bucket was charged, or, below 0, that it was given back. */
export function addToOveruse (overuse: Overuse, units: number, nowUs: number): Overuse | null {
  const used = countOveruse(overuse, nowUs)
  return used === 0 ? null : { ...overuse, atUs: nowUs, units: Math.max(0, Math.min(used + units, MAX_UNITS)) }
}

/** When all units have drained. */
export function overuseEndUs (overuse: Overuse): number {
  return overuse.atUs + Math.ceil(overuse.units * overuse.windowUs / overuse.max)
}

/**
 * Used units that a bucket may lose too early under another limit. Those of a token bucket include a fraction. A window that is
 * not shorter keeps its own units until it is over. As an overuse they would last for longer, and be counted with the next window.
 */
export function countAtRisk (written: WrittenQuota, quota: Quota, bucket: CarriedBucket, nowUs: number): number {
  const overused = countOveruse(bucket.overuse, nowUs)
  const isKept = quota.algorithm !== 'token-bucket' && written.algorithm === quota.algorithm && quota.windowUs >= written.windowUs
  return isKept ? overused : Math.max(countBucket(written, bucket, nowUs), overused)
}

/** What to keep beside a bucket after a change; `null` if the bucket has room for all used units. A calendar window counts them all. */
export function keepOveruse (written: WrittenQuota, quota: Quota, used: number, nowUs: number): Overuse | null {
  if (used <= quota.capacity || quota.algorithm === 'calendar-window') return null
  const { max, windowUs } = written.max * quota.windowUs >= quota.max * written.windowUs ? written : quota
  return { atUs: nowUs, units: used, max, windowUs }
}

/** Convert a TAT to other numbers. Writes it into `result`, which may be `bucket` itself. */
export function carryTokenBucket (written: WrittenQuota, quota: Quota, bucket: CarriedBucket, nowUs: number, result: CheckResult): void {
  const ownUs = Math.max(0, bucket.timeUs - nowUs + bucket.count / written.intervalDen)
  const backlogUs = Math.max(ownUs, countOveruse(bucket.overuse, nowUs) * written.windowUs / written.max)
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

/**
 * Convert the start and units of a window to other numbers. Writes them into `result`, which may be `bucket` itself.
 * Units that only the overuse still has were used now.
 */
export function carryFixedWindow (written: WrittenQuota, quota: Quota, bucket: CarriedBucket, nowUs: number, result: CheckResult): void {
  const used = countBucket(written, bucket, nowUs) - countDropped(written, quota, bucket, nowUs)
  const overused = Math.ceil(countOveruse(bucket.overuse, nowUs) - ROUNDING_UNITS)
  result.timeUs = overused > used ? nowUs : nowUs - carryAge(written, quota, bucket.timeUs, nowUs)
  result.count = Math.max(used, overused)
}

/** Convert all used units to those of the current period. Writes them into `result`, which may be `bucket` itself. */
export function carryCalendarWindow (written: WrittenQuota, quota: Quota, bucket: CarriedBucket, nowUs: number, result: CheckResult): void {
  result.count = Math.ceil(Math.max(countBucket(written, bucket, nowUs), countOveruse(bucket.overuse, nowUs)) - ROUNDING_UNITS)
  result.timeUs = written.algorithm === 'calendar-window' ? bucket.timeUs : findPeriod(quota, nowUs).endUs
}

/** Convert a log to other numbers. Of dropped units, the oldest go first. Units that only the overuse still has were used now. */
export function carryGrantLog (written: WrittenQuota, quota: Quota, bucket: CarriedBucket, nowUs: number): GrantLog {
  const log = bucket.log ?? createGrantLog()
  const carried = createGrantLog()
  let excess = countDropped(written, quota, bucket, nowUs)
  for (let entry = 2; entry < log.length; entry += 2) {
    if (nowUs - log[entry] >= written.windowUs) continue
    const units = log[entry + 1] - Math.min(excess, log[entry + 1])
    excess -= log[entry + 1] - units
    if (units === 0) continue
    carried.push(nowUs - carryAge(written, quota, log[entry], nowUs), units)
    carried[1] += units
  }
  carried[0] = nowUs - carryAge(written, quota, log[0], nowUs)
  const overused = Math.ceil(countOveruse(bucket.overuse, nowUs) - ROUNDING_UNITS)
  if (overused > carried[1]) appendGrant(quota, carried, overused - carried[1], nowUs)
  return carried
}

/**
 * Units that exceed a new `max` stay in a window, which then refuses until it is over. In a shorter window they would
 * expire too early. So that one does not take them over, and only the overuse has them.
 */
function countDropped (written: WrittenQuota, quota: Quota, bucket: CarriedBucket, nowUs: number): number {
  return quota.windowUs < written.windowUs ? Math.max(0, countBucket(written, bucket, nowUs) - quota.max) : 0
}

function countBucket (written: WrittenQuota, { timeUs, count, log }: CarriedBucket, nowUs: number): number {
  if (written.algorithm === 'fixed-window') return nowUs - timeUs >= written.windowUs ? 0 : count
  if (written.algorithm === 'calendar-window') return timeUs <= nowUs ? 0 : count
  if (written.algorithm === 'token-bucket') {
    const backlogUs = Math.max(0, timeUs - nowUs + count / written.intervalDen)
    // A TAT that a clock left in the future, stepping back, is no proof of more units.
    return Math.min(backlogUs * written.max / written.windowUs, written.capacity + written.max)
  }
  let used = 0
  if (log === null) return used
  for (let entry = 2; entry < log.length; entry += 2) {
    if (nowUs - log[entry] < written.windowUs) used += log[entry + 1]
  }
  return used
}

function carryAge (written: WrittenQuota, quota: Quota, sinceUs: number, nowUs: number): number {
  const ageUs = Math.min(Math.max(0, nowUs - sinceUs), written.windowUs)
  return Math.floor(ageUs * (quota.windowUs / written.windowUs))
}
