import type { Charge, Limit, Receipt, Standing } from '../store.js'
import { assess } from './bucket.js'
import type { Buckets } from './buckets.js'
import { standingOf, Trial } from './trial.js'

/*
 * Several charges at once. All are assessed before the first is written. Charges that meet in one bucket are assessed
 * for what they take together: enforced ones in their order, then shadow ones.
 */

/** Charge the enforced limits all or none, and each shadow limit that grants. `trials` grows to the number of charges. */
export function takeAll (buckets: Buckets, trials: Trial[], charges: readonly Charge[], nowUs: number): Receipt {
  const isRepeating = findAll(buckets, trials, charges, nowUs)
  const isGranted = assessMode('enforce', trials, charges, isRepeating, true, nowUs)
  if (!isGranted) assessUncharged(trials, charges, nowUs)
  assessMode('shadow', trials, charges, isRepeating, isGranted, nowUs)
  if (isGranted) commitMode('enforce', buckets, trials, charges, nowUs)
  commitMode('shadow', buckets, trials, charges, nowUs)
  if (isRepeating) assessShared(buckets, trials, charges, nowUs)
  else mendUncharged(buckets, trials, charges, isGranted, nowUs)
  return { granted: isGranted, atUs: nowUs, standings: standings(trials, charges, isGranted) }
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
    assess(limit, trial, isRepeating ? unitsTogether(trials, charges, i, isGranted) : cost, nowUs, trial.verdict)
    if (!trial.verdict.granted) isAllGranted = false
  }
  return isAllGranted
}

/** Where another limit refused: the limits that grant were not charged, and stand as they did. */
function assessUncharged (trials: Trial[], charges: readonly Charge[], nowUs: number): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit } = charges[i]
    const { verdict } = trials[i]
    if (limit.mode === 'shadow' || !verdict.granted) continue
    assess(limit, trials[i], 0, nowUs, verdict)
    // Nothing taken may be refused in debt, but this charge was granted.
    verdict.granted = true
    verdict.retryUs = 0
  }
}

function commitMode (mode: Limit['mode'], buckets: Buckets, trials: Trial[], charges: readonly Charge[], nowUs: number): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit, cost } = charges[i]
    if (limit.mode === mode && trials[i].verdict.granted) buckets.commit(trials[i], limit, cost, nowUs)
  }
}

function mendUncharged (buckets: Buckets, trials: Trial[], charges: readonly Charge[], isGranted: boolean, nowUs: number): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit, cost } = charges[i]
    const isCharged = trials[i].verdict.granted && (isGranted || limit.mode === 'shadow')
    if (!isCharged || cost === 0) buckets.mend(trials[i], limit, nowUs)
  }
}

/** Buckets charged twice stand where the last charge left them. */
function assessShared (buckets: Buckets, trials: Trial[], charges: readonly Charge[], nowUs: number): void {
  for (let i = 0; i < charges.length; i++) {
    const { limit, partition } = charges[i]
    const trial = trials[i]
    const { granted, retryUs } = trial.verdict
    buckets.enter(partition)
    buckets.find(trial, buckets.registry.familyId(limit))
    buckets.read(trial, limit, nowUs)
    assess(limit, trial, 0, nowUs, trial.verdict)
    buckets.mend(trial, limit, nowUs)
    trial.verdict.granted = granted
    trial.verdict.retryUs = retryUs
  }
}

function standings (trials: readonly Trial[], charges: readonly Charge[], isGranted: boolean): Standing[] {
  const list: Standing[] = []
  for (let i = 0; i < charges.length; i++) {
    const { limit, partition, cost } = charges[i]
    const { verdict } = trials[i]
    const isCharged = verdict.granted && (isGranted || limit.mode === 'shadow')
    list.push(standingOf(limit, partition, isCharged ? cost : 0, verdict))
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
