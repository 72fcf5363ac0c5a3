import { NO_BLOCKS, type Charge, type Limit, type Receipt, type Standing } from '../store.js'
import { assess } from './bucket.js'
import type { Buckets } from './buckets.js'
import { standingOf, Trial } from './pending-charge.js'

/*
 * Several charges at once. All are assessed before the first is written. Charges that meet in one bucket are assessed
 * for what they take together: enforced ones in their order, then shadow ones.
 */

/**
 * Charge the enforced limits all or none, and each shadow limit that grants; nothing at all of a request that is blocked.
 * `trials` grows to the number of charges.
 */
export function takeAll (buckets: Buckets, trials: Trial[], charges: readonly Charge[], nowUs: number, isBlocked = false): Receipt {
  const isRepeating = findAll(buckets, trials, charges, nowUs)
  const isGranted = assessMode('enforce', trials, charges, isRepeating, true, nowUs) && !isBlocked
  if (!isGranted) assessUncharged('enforce', trials, charges, nowUs)
  assessMode('shadow', trials, charges, isRepeating, isGranted, nowUs)
  if (isBlocked) assessUncharged('shadow', trials, charges, nowUs)
  for (let i = 0; i < charges.length; i++) {
    trials[i].isCharged = trials[i].verdict.granted && (isGranted || (charges[i].limit.mode === 'shadow' && !isBlocked))
  }
  commitMode('enforce', buckets, trials, charges, nowUs)
  commitMode('shadow', buckets, trials, charges, nowUs)
  if (isRepeating) assessShared(buckets, trials, charges, nowUs)
  else mendUncharged(buckets, trials, charges, nowUs)
  return { granted: isGranted, atUs: nowUs, standings: standings(trials, charges), blocks: NO_BLOCKS }
}

/** Find and read every bucket. Answers whether one is charged twice. */
function findAll (buckets: Buckets, trials: Trial[], charges: readonly Charge[], nowUs: number): boolean {
  let isRepeating = false
  for (let i = 0; i < charges.length; i++) {
    const { limit, partition } = charges[i]
    if (i === trials.length) trials.push(new Trial())
    if (i === 0 || partition !== charges[i - 1].partition) buckets.enter(partition)
    buckets.find(trials[i], buckets.registry.familyId(limit))
    buckets.read(trials[i], limit, nowUs)
    for (let j = 0; j < i && !isRepeating; j++) isRepeating = isSameBucket(trials, charges, i, j)
  }
  return isRepeating
}

/** Answers whether every limit of the mode grants. */
function assessMode (mode: Limit['mode'], trials: Trial[], charges: readonly Charge[], isRepeating: boolean, isGranted: boolean, nowUs: number): boolean {
  let isAllGranted = true
  for (let i = 0; i < charges.length; i++) {
    const { limit, cost } = charges[i]
    if (limit.mode !== mode) continue
    const trial = trials[i]
    assess(trial.quota, trial, isRepeating ? unitsTogether(trials, charges, i, isGranted) : cost, nowUs, trial.verdict)
    if (!trial.verdict.granted) isAllGranted = false
  }
  return isAllGranted
}

/** Where the request is refused all the same: the limits that grant were not charged, and stand as they did. */
function assessUncharged (mode: Limit['mode'], trials: Trial[], charges: readonly Charge[], nowUs: number): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit } = charges[i]
    const { verdict } = trials[i]
    if (limit.mode !== mode || !verdict.granted) continue
    assess(trials[i].quota, trials[i], 0, nowUs, verdict)
    // Nothing taken may be refused in debt, but this charge was granted.
    verdict.granted = true
    verdict.delayUs = 0
    verdict.retryUs = 0
  }
}

function commitMode (mode: Limit['mode'], buckets: Buckets, trials: Trial[], charges: readonly Charge[], nowUs: number): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit, cost } = charges[i]
    if (limit.mode === mode && trials[i].isCharged) buckets.commit(trials[i], limit, cost, nowUs)
  }
}

function mendUncharged (buckets: Buckets, trials: Trial[], charges: readonly Charge[], nowUs: number): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit, cost } = charges[i]
    if (!trials[i].isCharged || cost === 0) buckets.mend(trials[i], limit, nowUs)
  }
}

/** Buckets charged twice stand where the last charge left them. */
function assessShared (buckets: Buckets, trials: Trial[], charges: readonly Charge[], nowUs: number): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit, partition } = charges[i]
    const trial = trials[i]
    const { granted, delayUs, retryUs } = trial.verdict
    buckets.enter(partition)
    buckets.find(trial, buckets.registry.familyId(limit))
    buckets.read(trial, limit, nowUs)
    assess(trial.quota, trial, 0, nowUs, trial.verdict)
    buckets.mend(trial, limit, nowUs)
    trial.verdict.granted = granted
    trial.verdict.delayUs = delayUs
    trial.verdict.retryUs = retryUs
  }
}

function standings (trials: readonly Trial[], charges: readonly Charge[]): Standing[] {
  const list: Standing[] = []
  for (let i = 0; i < charges.length; i++) {
    const { limit, partition, cost } = charges[i]
    list.push(standingOf(limit, partition, trials[i].isCharged ? cost : 0, trials[i].verdict))
  }
  return list
}

/** What charge `i` and those before it take from its bucket. */
function unitsTogether (trials: readonly Trial[], charges: readonly Charge[], i: number, isGranted: boolean): number {
  const isShadow = charges[i].limit.mode === 'shadow'
  let units = charges[i].cost
  for (let j = 0; j < charges.length; j++) {
    if (j === i || !isSameBucket(trials, charges, i, j)) continue
    const isBefore = charges[j].limit.mode === 'shadow'
      ? isShadow && j < i && trials[j].verdict.granted
      : isShadow ? isGranted : j < i
    if (isBefore) units += charges[j].cost
  }
  return units
}

function isSameBucket (trials: readonly Trial[], charges: readonly Charge[], i: number, j: number): boolean {
  return trials[i].word0 === trials[j].word0 && trials[i].familyId === trials[j].familyId && charges[i].partition === charges[j].partition
}
