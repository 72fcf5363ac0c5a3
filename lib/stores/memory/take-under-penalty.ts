import { blockedUs } from '../../algorithms/penalty.js'
import { isStrike, penaltyOf, type Block, type Charge, type Receipt, type Standing } from '../store.js'
import type { Penalties, Suspect } from './penalties.js'

/*
 * A take of charges of which some have a penalty: strikes that were not heard of come first, then the block, then the
 * buckets, then the strike that a refusal earns.
 */

/** `take` decides on the buckets, knowing whether the request is blocked. */
export function takeUnderPenalty (penalties: Penalties, charges: readonly Charge[], nowUs: number, take: (isBlocked: boolean) => Receipt): Receipt {
  const suspects = suspectsOf(penalties, charges, nowUs)
  const isBlocked = suspects.some((suspect) => suspect !== null && blockedUs(suspect.conduct, nowUs) > 0)
  const receipt = take(isBlocked)
  if (!isBlocked && !receipt.granted) strikeRefused(penalties, suspects, charges, receipt, nowUs)
  return {
    ...receipt,
    standings: receipt.standings.map((standing, i) => underBlock(standing, suspects[i], nowUs)),
    blocks: blocksOf(suspects, nowUs)
  }
}

/** A standing as the block of its partition leaves it. */
export function underBlock (standing: Standing, suspect: Suspect | null, nowUs: number): Standing {
  const leftUs = suspect === null ? 0 : blockedUs(suspect.conduct, nowUs)
  if (leftUs === 0) return standing
  const retryUs = standing.retryUs === 'never' ? 'never' : Math.max(standing.retryUs, leftUs)
  return { ...standing, granted: false, delayUs: 0, retryUs, blockedUs: leftUs }
}

/** One for each charge; charges of one penalty and partition share theirs. */
function suspectsOf (penalties: Penalties, charges: readonly Charge[], nowUs: number): Array<Suspect | null> {
  const suspects: Array<Suspect | null> = []
  for (const { limit, partition, strikes = 0 } of charges) {
    const penalty = penaltyOf(limit)
    const suspect = penalty === null
      ? null
      : suspects.find((known) => known?.penalty.bucket === penalty.bucket && known.partition === partition) ?? penalties.suspect(penalty, partition, nowUs)
    suspects.push(suspect)
    if (suspect !== null && strikes > 0 && blockedUs(suspect.conduct, nowUs) === 0) penalties.strike(suspect, strikes, nowUs)
  }
  return suspects
}

/** However many limits refused, a request is one strike of a partition. */
function strikeRefused (penalties: Penalties, suspects: ReadonlyArray<Suspect | null>, charges: readonly Charge[], receipt: Receipt, nowUs: number): void {
  const struck = new Set<Suspect>()
  receipt.standings.forEach((standing, i) => {
    const suspect = suspects[i]
    if (suspect !== null && isStrike(standing, charges[i].cost)) struck.add(suspect)
  })
  for (const suspect of struck) penalties.strike(suspect, 1, nowUs)
}

function blocksOf (suspects: ReadonlyArray<Suspect | null>, nowUs: number): Block[] {
  const blocks: Block[] = []
  for (const suspect of new Set(suspects)) {
    if (suspect === null) continue
    const leftUs = blockedUs(suspect.conduct, nowUs)
    if (leftUs > 0) blocks.push({ partition: suspect.partition, blockedUs: leftUs, began: suspect.began })
  }
  return blocks
}
