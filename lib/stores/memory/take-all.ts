import { NO_BLOCKS, type Charge, type Limit, type Receipt, type Standing } from '../store.js'
import { assess } from './bucket.js'
import type { Buckets } from './buckets.js'
import { createStanding, PendingCharge } from './pending-charge.js'

/*
 * Several charges at once. All are assessed before the first is written. Charges that meet in one bucket are assessed
 * for what they take together: enforced ones in their order, then shadow ones.
 */

/**
 * Charge the enforced limits all or none, and each shadow limit that grants; nothing at all of a request that is blocked.
 * `trials` grows to the number of charges.
 */
export function takeAll (buckets: Buckets, pendingCharges: PendingCharge[], charges: readonly Charge[], nowUs: number, isBlocked = false): Receipt {
  const isRepeating = findAll(buckets, pendingCharges, charges, nowUs)
  const isGranted = assessMode('enforce', pendingCharges, charges, isRepeating, true, nowUs) && !isBlocked
  if (!isGranted) assessUncharged('enforce', pendingCharges, charges, nowUs)
  assessMode('shadow', pendingCharges, charges, isRepeating, isGranted, nowUs)
  if (isBlocked) assessUncharged('shadow', pendingCharges, charges, nowUs)
  for (let i = 0; i < charges.length; i++) {
    pendingCharges[i].isCharged = pendingCharges[i].result.granted && (isGranted || (charges[i].limit.mode === 'shadow' && !isBlocked))
  }
  commitMode('enforce', buckets, pendingCharges, charges, nowUs)
  commitMode('shadow', buckets, pendingCharges, charges, nowUs)
  if (isRepeating) assessShared(buckets, pendingCharges, charges, nowUs)
  else repairUncharged(buckets, pendingCharges, charges, nowUs)
  return { granted: isGranted, atUs: nowUs, standings: standings(pendingCharges, charges), blocks: NO_BLOCKS }
}

/** Find and read every bucket. Answers whether one is charged twice. */
function findAll (buckets: Buckets, pendingCharges: PendingCharge[], charges: readonly Charge[], nowUs: number): boolean {
  let isRepeating = false
  for (let i = 0; i < charges.length; i++) {
    const { limit, partition } = charges[i]
    if (i === pendingCharges.length) pendingCharges.push(new PendingCharge())
    if (i === 0 || partition !== charges[i - 1].partition) buckets.selectPartition(partition)
    buckets.find(pendingCharges[i], buckets.registry.findOrAddGroupId(limit))
    buckets.read(pendingCharges[i], limit, nowUs)
    for (let j = 0; j < i && !isRepeating; j++) isRepeating = isSameBucket(pendingCharges, charges, i, j)
  }
  return isRepeating
}

/** Answers whether every limit of the mode grants. */
function assessMode (mode: Limit['mode'], pendingCharges: PendingCharge[], charges: readonly Charge[], isRepeating: boolean, isGranted: boolean, nowUs: number): boolean {
  let isAllGranted = true
  for (let i = 0; i < charges.length; i++) {
    const { limit, cost } = charges[i]
    if (limit.mode !== mode) continue
    const pending = pendingCharges[i]
    assess(pending.quota, pending, isRepeating ? sumUnits(pendingCharges, charges, i, isGranted) : cost, nowUs, pending.result)
    if (!pending.result.granted) isAllGranted = false
  }
  return isAllGranted
}

/** Where the request is refused all the same: the limits that grant were not charged, and stand as they did. */
function assessUncharged (mode: Limit['mode'], pendingCharges: PendingCharge[], charges: readonly Charge[], nowUs: number): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit } = charges[i]
    const { result } = pendingCharges[i]
    if (limit.mode !== mode || !result.granted) continue
    assess(pendingCharges[i].quota, pendingCharges[i], 0, nowUs, result)
    // Nothing taken may be refused in debt, but this charge was granted.
    result.granted = true
    result.delayUs = 0
    result.retryUs = 0
  }
}

function commitMode (mode: Limit['mode'], buckets: Buckets, pendingCharges: PendingCharge[], charges: readonly Charge[], nowUs: number): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit, cost } = charges[i]
    if (limit.mode === mode && pendingCharges[i].isCharged) buckets.commit(pendingCharges[i], limit, cost, nowUs)
  }
}

function repairUncharged (buckets: Buckets, pendingCharges: PendingCharge[], charges: readonly Charge[], nowUs: number): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit, cost } = charges[i]
    if (!pendingCharges[i].isCharged || cost === 0) buckets.repair(pendingCharges[i], limit, nowUs)
  }
}

/** Buckets charged twice stand where the last charge left them. */
function assessShared (buckets: Buckets, pendingCharges: PendingCharge[], charges: readonly Charge[], nowUs: number): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit, partition } = charges[i]
    const pending = pendingCharges[i]
    const { granted, delayUs, retryUs } = pending.result
    buckets.selectPartition(partition)
    buckets.find(pending, buckets.registry.findOrAddGroupId(limit))
    buckets.read(pending, limit, nowUs)
    assess(pending.quota, pending, 0, nowUs, pending.result)
    buckets.repair(pending, limit, nowUs)
    pending.result.granted = granted
    pending.result.delayUs = delayUs
    pending.result.retryUs = retryUs
  }
}

function standings (pendingCharges: readonly PendingCharge[], charges: readonly Charge[]): Standing[] {
  const list: Standing[] = []
  for (let i = 0; i < charges.length; i++) {
    const { limit, partition, cost } = charges[i]
    list.push(createStanding(limit, partition, pendingCharges[i].isCharged ? cost : 0, pendingCharges[i].result))
  }
  return list
}

/** What charge `i` and those before it take from its bucket. */
function sumUnits (pendingCharges: readonly PendingCharge[], charges: readonly Charge[], i: number, isGranted: boolean): number {
  const isShadow = charges[i].limit.mode === 'shadow'
  let units = charges[i].cost
  for (let j = 0; j < charges.length; j++) {
    if (j === i || !isSameBucket(pendingCharges, charges, i, j)) continue
    const isBefore = charges[j].limit.mode === 'shadow'
      ? isShadow && j < i && pendingCharges[j].result.granted
      : isShadow ? isGranted : j < i
    if (isBefore) units += charges[j].cost
  }
  return units
}

function isSameBucket (pendingCharges: readonly PendingCharge[], charges: readonly Charge[], i: number, j: number): boolean {
  return pendingCharges[i].word0 === pendingCharges[j].word0 && pendingCharges[i].groupId === pendingCharges[j].groupId && charges[i].partition === charges[j].partition
}
