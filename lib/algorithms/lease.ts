import type { Quota } from './quota.js'

/*
 * Leases: a process takes units of a bucket in advance and spends them without asking the store. Two rules keep the bound.
 * Leased units count as used and do not drain. They begin to drain when their holder reports them as spent, or at the
 * end of their lease. The holder spends none after that end. So a unit never drains before it is spent, and in each
 * interval of length t all processes grant at most burst + rate * t.
 *
 * Leases end on a grid of the store's clock, `gridUs` apart. A new lease ends with the next slot, so it lives for one to
 * two grids, and a bucket needs two counters: units of this slot, and of the next one.
 *
 * A fixed window needs no counters. A unit leased in a window is used in it, if it is spent before the window ends.
 */

/** A token bucket with leases. `timeUs` and `count` are the TAT of all used units, leased ones included. */
export interface LeasedBucket {
  timeUs: number
  count: number
  /** End of the current slot, a multiple of `gridUs`. 0: the bucket has no leases, and is not ready for them. */
  slotEndUs: number
  gridUs: number
  /** Leased units, not reported as spent, whose leases end with the current slot. */
  apart: number
  /** The same for the next slot. */
  apartNext: number
}

/** What a holder has done with the units of one slot since its last report. Each unit is reported at most once. */
export interface LeaseReport {
  /** End of the slot, or of the window. 0: nothing to report. */
  readonly slotEndUs: number
  /** Units that were spent. */
  readonly spent: number
  /** Units that will not be spent. */
  readonly returned: number
}

/** A request for units in advance, sent with a charge. */
export interface LeaseRequest {
  readonly gridUs: number
  /** The most units that are of use. 0: none, only report. */
  readonly want: number
  /** Units that the holder uses within milliseconds, so that none of them can lapse. At most `want`. */
  readonly soon: number
  /** Of the two slots in which leases can be alive. */
  readonly reports: readonly [LeaseReport, LeaseReport]
}

/** Units that were leased. */
export interface LeaseGrant {
  readonly units: number
  /** Time from the decision to the end of the lease, microseconds. */
  readonly lifeUs: number
  /** End of the slot, or of the window, for reports. */
  readonly slotEndUs: number
  /** All leased units of the bucket, those of other holders included. 0 for a window. */
  readonly apart: number
}

/** Whether and how a limit is leased. */
export interface LeaseTerms {
  readonly gridUs: number
}

/** Why a limit is not leased. */
export type LeaseObstacle = 'sliding-window' | 'calendar' | 'throttled' | 'small' | 'short'

/** Limits of fewer units are not leased: they have little to gain, and a share of them held by one process is much. */
export const MIN_LEASED_CAPACITY = 64

/** Leases that end sooner are not worth a call. */
const MIN_GRID_US = 20_000

/** The range of the longest life of a lease, microseconds: no grid is shorter, and a stopped process holds units for no longer. */
export const MIN_HOLD_US = 2 * MIN_GRID_US
export const MAX_HOLD_US = 10_000_000

/** Bits of each counter in Redis. */
export const MAX_UNITS_APART = 2 ** 24 - 1

/** A smaller share of the free units is not worth a lease. */
const MIN_SHARE = 4

/**
 * The terms of a limit, or why it has none. `holdUs`: the longest life of a lease, microseconds. A lease lives for at most
 * the time in which the bucket fills, so that units that lapse are not missed for long.
 */
export function createLeaseTerms (quota: Quota, holdUs: number): LeaseTerms | LeaseObstacle {
  if (quota.algorithm === 'sliding-window') return 'sliding-window'
  // Units that a stopped process holds would be lost for the rest of the period.
  if (quota.algorithm === 'calendar-window') return 'calendar'
  if (quota.maxDelayUs > 0) return 'throttled'
  if (quota.capacity < MIN_LEASED_CAPACITY) return 'small'
  const gridUs = Math.floor(Math.min(holdUs, quota.capacityUs) / 2)
  return gridUs < MIN_GRID_US ? 'short' : { gridUs }
}

/**
 * Bring a bucket to now: units of ended leases drain from the end of their slot, and units that are still leased do not
 * drain. Call it before each use of the bucket.
 */
export function advanceLeases (quota: Quota, bucket: LeasedBucket, nowUs: number): void {
  if (bucket.slotEndUs === 0) return
  const { gridUs } = bucket
  if (bucket.slotEndUs - nowUs > 3 * gridUs) {
    // The clock stepped back (a failover). No lease is that long: all units drain, and new leases wait as after a loss.
    bucket.apart = 0
    bucket.apartNext = 0
    bucket.slotEndUs = endOfSlot(gridUs, nowUs) + 2 * gridUs
    return
  }
  if (bucket.slotEndUs <= nowUs) {
    holdBack(quota, bucket, bucket.slotEndUs)
    bucket.apart = bucket.apartNext
    bucket.apartNext = 0
    if (bucket.slotEndUs + gridUs <= nowUs) {
      holdBack(quota, bucket, bucket.slotEndUs + gridUs)
      bucket.apart = 0
    }
    bucket.slotEndUs = endOfSlot(gridUs, nowUs)
  }
  holdBack(quota, bucket, nowUs)
}

/**
 * Make a bucket ready for leases. The first ones are granted after all leases that could be alive have ended: the mark is
 * lost if a version without leases writes the bucket, or if the bucket is reset. So no lease begins beside such a version,
 * and no report of a lease before the reset is taken for one of a later lease.
 */
export function openLeases (bucket: LeasedBucket, gridUs: number, nowUs: number): void {
  if (bucket.slotEndUs === 0) {
    bucket.gridUs = gridUs
    bucket.slotEndUs = endOfSlot(gridUs, nowUs) + 2 * gridUs
  } else if (bucket.gridUs !== gridUs && bucket.apart + bucket.apartNext === 0 && isOpen(bucket, nowUs)) {
    // Another grid only while nothing is leased, since reports name the end of a slot.
    bucket.gridUs = gridUs
    bucket.slotEndUs = endOfSlot(gridUs, nowUs)
  }
}

/**
 * Empty an advanced bucket that is reset, and keep only its slots. A report of a lease from before must not be taken for one
 * of a later lease. So the next ones are granted after all leases have ended. Returns false if the bucket can be deleted.
 */
export function closeLeases (bucket: LeasedBucket, nowUs: number): boolean {
  if (bucket.apart + bucket.apartNext === 0) return false
  bucket.timeUs = nowUs
  bucket.count = 0
  bucket.apart = 0
  bucket.apartNext = 0
  bucket.slotEndUs += 2 * bucket.gridUs
  return true
}

/** Take the reports of a holder. Spent units drain from now on; returned units are free. The bucket was advanced to now. */
export function settleLeases (quota: Quota, bucket: LeasedBucket, reports: readonly LeaseReport[], nowUs: number): void {
  for (const { slotEndUs, spent, returned } of reports) {
    const isCurrent = slotEndUs === bucket.slotEndUs
    // Units of a slot that is over drain since its end, and those of a bucket that was reset are gone.
    if (!isCurrent && slotEndUs !== bucket.slotEndUs + bucket.gridUs) continue
    const known = isCurrent ? bucket.apart : bucket.apartNext
    const freed = Math.min(returned, known)
    const left = known - freed - Math.min(spent, known - freed)
    if (isCurrent) bucket.apart = left
    else bucket.apartNext = left
    addUnits(quota, bucket, -freed)
  }
  holdBack(quota, bucket, nowUs)
}

/** Lease units of an advanced bucket of which `remaining` are free. Returns how many. */
export function leaseUnits (quota: Quota, bucket: LeasedBucket, remaining: number, { want, soon }: LeaseRequest, nowUs: number): number {
  if (!isOpen(bucket, nowUs)) return 0
  const units = Math.min(shareUnits(remaining, want, soon), MAX_UNITS_APART - bucket.apartNext)
  bucket.apartNext += units
  addUnits(quota, bucket, units)
  return units
}

/**
 * How many of the free units one holder gets: at most a quarter, so that processes that ask later get some too, or what
 * it uses at once.
 */
export function shareUnits (remaining: number, want: number, soon: number): number {
  const quarter = Math.floor(remaining / 4)
  return Math.min(want, Math.max(quarter < MIN_SHARE ? 0 : quarter, Math.min(soon, remaining)))
}

/**
 * How long a refused charge must wait at most, if nothing else is charged, microseconds: leased units drain at the latest
 * from the end of their slot. 0 where leases do not prolong the wait. They may also be reported sooner.
 */
export function computeLeaseWaitUs (quota: Quota, bucket: LeasedBucket, cost: number, nowUs: number): number {
  if (bucket.slotEndUs === 0) return 0
  const room = quota.capacity - cost
  const over = bucket.apart + bucket.apartNext - room
  const overNext = bucket.apartNext - room
  const slotUs = bucket.slotEndUs - nowUs
  return Math.max(
    over > 0 ? slotUs + toUs(quota, over) : 0,
    overNext > 0 ? slotUs + bucket.gridUs + toUs(quota, overNext) : 0
  )
}

/** When all units have drained at the latest. Until then the bucket must be kept, and while new leases may begin. */
export function leasesEndUs (quota: Quota, bucket: LeasedBucket): number {
  const lastEndUs = bucket.slotEndUs + bucket.gridUs
  return Math.max(lastEndUs + toUs(quota, bucket.apart + bucket.apartNext), lastEndUs + bucket.gridUs)
}

/** The time in which units drain, rounded up. */
function toUs (quota: Quota, units: number): number {
  return units * quota.intervalUs + Math.ceil(units * quota.intervalNum / quota.intervalDen)
}

function isOpen ({ slotEndUs, gridUs }: LeasedBucket, nowUs: number): boolean {
  return slotEndUs > 0 && slotEndUs - nowUs <= gridUs
}

function endOfSlot (gridUs: number, nowUs: number): number {
  return (Math.floor(nowUs / gridUs) + 1) * gridUs
}

/** Move the TAT up to where it is if nothing but the leased units is used. So they do not drain. */
function holdBack (quota: Quota, bucket: LeasedBucket, atUs: number): void {
  const units = bucket.apart + bucket.apartNext
  if (units === 0) return
  const num = units * quota.intervalNum
  const whole = Math.floor(num / quota.intervalDen)
  const timeUs = atUs + units * quota.intervalUs + whole
  const count = num - whole * quota.intervalDen
  if (bucket.timeUs > timeUs || (bucket.timeUs === timeUs && bucket.count >= count)) return
  bucket.timeUs = timeUs
  bucket.count = count
}

function addUnits (quota: Quota, bucket: LeasedBucket, units: number): void {
  const num = bucket.count + units * quota.intervalNum
  const whole = Math.floor(num / quota.intervalDen)
  bucket.timeUs += units * quota.intervalUs + whole
  bucket.count = num - whole * quota.intervalDen
}
