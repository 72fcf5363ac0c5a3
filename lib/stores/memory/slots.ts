import { withMaxDelay } from '../../algorithms/quota.js'
import type { Limit } from '../store.js'
import { clearBucket, convertBucket } from './bucket.js'
import type { PendingCharge } from './pending-charge.js'
import { hasSameNumbers, type LimitRegistry } from './registry.js'
import { ABSENT } from './table.js'

/*
 * Reading and writing the slot that a charge has found.
 */

/**
 * Read the found bucket for the numbers of a limit. If a later generation uses the bucket already, read it for the
 * numbers of that one. So requests that are still on their way do not convert it to the earlier numbers and back.
 */
export function readSlot (registry: LimitRegistry, pending: PendingCharge, limit: Limit, nowUs: number): void {
  const { table, slot } = pending
  pending.quota = limit
  pending.isCarried = false
  if (table === null || slot === ABSENT) return clearBucket(pending, nowUs)
  pending.timeUs = table.timeAt(slot)
  pending.count = table.countAt(slot)
  pending.log = table.logAt(slot)
  pending.overuse = table.overuseAt(slot)
  const written = registry.getLimit(table.versionAt(slot))
  if (hasSameNumbers(written, limit)) return
  if (registry.isSuperseded(limit)) {
    const quota = withMaxDelay(written, Math.min(limit.maxDelayUs, written.ceilingUs - written.capacityUs))
    // The written limit may have the periods of another client.
    pending.quota = limit.calendar === null || quota.calendar === null ? quota : { ...quota, calendar: limit.calendar }
  } else {
    pending.isCarried = true
    convertBucket(pending, written, limit, nowUs)
  }
}

/** Write the result to the bucket. Returns whether its numbers have changed: then it must be read again. */
export function writeSlot (registry: LimitRegistry, pending: PendingCharge, limit: Limit): boolean {
  const { table, slot, result, log, overuse } = pending
  if (table === null || slot === ABSENT) return false
  const before = table.versionAt(slot)
  const isSame = hasSameNumbers(registry.getLimit(before), pending.quota)
  table.write(slot, isSame ? before : registry.findOrAddVersion(limit), result, log, overuse)
  return !isSame
}
