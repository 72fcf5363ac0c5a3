import { NO_BLOCKS, type Charge, type Limit, type Receipt, type Standing } from '../store.js'
import { assessBucket } from './bucket.js'
import type { Buckets } from './buckets.js'
import { createStanding, PendingCharge } from './pending-charge.js'

/*
 * Several charges at once. All are assessed before the first is written. Charges of one bucket are assessed for the
 * units that they take together: enforced ones in their order, then shadow ones.
 */

/** A receipt of limits by rate. The standing of a slot is added to it. */
export interface OpenReceipt extends Receipt {
  standings: Standing[]
}

/** Why a request is refused whatever its limits by rate decide. A block also keeps shadow limits uncharged. */
export type Refusal = 'block' | 'slot'

/**
 * Charge all enforced limits or none, and each shadow limit that grants. A blocked request is charged nothing.
 * `pendingCharges` grows to the number of charges.
 */
export function takeAll (
  buckets: Buckets, pendingCharges: PendingCharge[], charges: readonly Charge[], nowUs: number, refusedBy: Refusal | null = null
): OpenReceipt {
  const isBlocked = refusedBy === 'block'
  const isRepeating = findAll(buckets, pendingCharges, charges, nowUs)
  const isGranted = assessEnforced(pendingCharges, charges, isRepeating, nowUs) && refusedBy === null
  if (!isGranted) assessUncharged('enforce', pendingCharges, charges, nowUs)
  assessShadow(pendingCharges, charges, isRepeating, isGranted, nowUs)
  if (isBlocked) assessUncharged('shadow', pendingCharges, charges, nowUs)
  for (let i = 0; i < charges.length; i++) {
    pendingCharges[i].isCharged = pendingCharges[i].result.granted && (isGranted || (charges[i].limit.mode === 'shadow' && !isBlocked))
  }
  commitMode('enforce', buckets, pendingCharges, charges, nowUs)
  commitMode('shadow', buckets, pendingCharges, charges, nowUs)
  if (isRepeating) assessShared(buckets, pendingCharges, charges, nowUs)
  else repairUncharged(buckets, pendingCharges, charges, nowUs)
  return { granted: isGranted, atUs: nowUs, standings: createStandings(pendingCharges, charges), blocks: NO_BLOCKS }
}

/** Find and read every bucket. Returns whether a bucket is charged twice. */
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

/** Returns whether every enforced limit grants. */
function assessEnforced (pendingCharges: PendingCharge[], charges: readonly Charge[], isRepeating: boolean, nowUs: number): boolean {
  let isAllGranted = true
  for (let i = 0; i < charges.length; i++) {
    const { limit, cost } = charges[i]
    if (limit.mode !== 'enforce') continue
    const pending = pendingCharges[i]
    const units = isRepeating ? sumEnforcedUnits(pendingCharges, charges, i) : cost
    assessBucket(pending.quota, pending, units, nowUs, pending.result)
    if (!pending.result.granted) isAllGranted = false
  }
  return isAllGranted
}

/** `isGranted`: whether the enforced limits are charged. */
function assessShadow (
  pendingCharges: PendingCharge[], charges: readonly Charge[], isRepeating: boolean, isGranted: boolean, nowUs: number
): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit, cost } = charges[i]
    if (limit.mode !== 'shadow') continue
    const pending = pendingCharges[i]
    const units = isRepeating ? sumShadowUnits(pendingCharges, charges, i, isGranted) : cost
    assessBucket(pending.quota, pending, units, nowUs, pending.result)
  }
}

/** Assess granting limits of a refused request again, with a cost of 0: they are not charged. */
function assessUncharged (mode: Limit['mode'], pendingCharges: PendingCharge[], charges: readonly Charge[], nowUs: number): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit } = charges[i]
    const { result } = pendingCharges[i]
    if (limit.mode !== mode || !result.granted) continue
    assessBucket(pendingCharges[i].quota, pendingCharges[i], 0, nowUs, result)
    // In debt even a cost of 0 is refused, but this charge was granted.
    result.granted = true
    result.delayUs = 0
    result.retryUs = 0
  }
}

function commitMode (
  mode: Limit['mode'], buckets: Buckets, pendingCharges: PendingCharge[], charges: readonly Charge[], nowUs: number
): void {
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

/** Read the final state of buckets that were charged twice. */
function assessShared (buckets: Buckets, pendingCharges: PendingCharge[], charges: readonly Charge[], nowUs: number): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit, partition } = charges[i]
    const pending = pendingCharges[i]
    const { sharedPartition, result: { granted, delayUs, retryUs } } = pending
    buckets.selectPartition(partition)
    buckets.find(pending, buckets.registry.findOrAddGroupId(limit))
    pending.sharedPartition = sharedPartition
    buckets.read(pending, limit, nowUs)
    assessBucket(pending.quota, pending, 0, nowUs, pending.result)
    buckets.repair(pending, limit, nowUs)
    pending.result.granted = granted
    pending.result.delayUs = delayUs
    pending.result.retryUs = retryUs
  }
}

function createStandings (pendingCharges: readonly PendingCharge[], charges: readonly Charge[]): Standing[] {
  const standings: Standing[] = []
  for (let i = 0; i < charges.length; i++) {
    const { limit, partition, cost } = charges[i]
    standings.push(createStanding(limit, partition, pendingCharges[i].isCharged ? cost : 0, pendingCharges[i]))
  }
  return standings
}

/** Units that enforced charge `i` and the enforced charges before it take from its bucket. */
function sumEnforcedUnits (pendingCharges: readonly PendingCharge[], charges: readonly Charge[], i: number): number {
  let units = charges[i].cost
  for (let j = 0; j < i; j++) {
    if (charges[j].limit.mode === 'enforce' && isSameBucket(pendingCharges, charges, i, j)) units += charges[j].cost
  }
  return units
}

/** Units that shadow charge `i`, the shadow charges before it and all enforced charges take from its bucket. */
function sumShadowUnits (pendingCharges: readonly PendingCharge[], charges: readonly Charge[], i: number, isGranted: boolean): number {
  let units = charges[i].cost
  for (let j = 0; j < charges.length; j++) {
    if (j === i || !isSameBucket(pendingCharges, charges, i, j)) continue
    const isTaken = charges[j].limit.mode === 'enforce' ? isGranted : j < i && pendingCharges[j].result.granted
    if (isTaken) units += charges[j].cost
  }
  return units
}

function isSameBucket (pendingCharges: readonly PendingCharge[], charges: readonly Charge[], i: number, j: number): boolean {
  return pendingCharges[i].word0 === pendingCharges[j].word0 && pendingCharges[i].groupId === pendingCharges[j].groupId &&
    charges[i].partition === charges[j].partition
}
