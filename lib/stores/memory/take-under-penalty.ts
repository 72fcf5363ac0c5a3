import { blockedUs } from '../../algorithms/penalty.js'
import { isStrike, findPenalty, type Block, type Charge, type Receipt, type Standing } from '../store.js'
import type { Penalties, PenaltyEntry } from './penalties.js'

/*
 * A take of charges of which some have a penalty: strikes that were not heard of come first, then the block, then the
 * buckets, then the strike that a refusal earns.
 */

/** `take` decides on the buckets, knowing whether the request is blocked. */
export function takeUnderPenalty (penalties: Penalties, charges: readonly Charge[], nowUs: number, take: (isBlocked: boolean) => Receipt): Receipt {
  const entries = loadEntries(penalties, charges, nowUs)
  const isBlocked = entries.some((entry) => entry !== null && blockedUs(entry.state, nowUs) > 0)
  const receipt = take(isBlocked)
  if (!isBlocked && !receipt.granted) strikeRefused(penalties, entries, charges, receipt, nowUs)
  return {
    ...receipt,
    standings: receipt.standings.map((standing, i) => applyBlock(standing, entries[i], nowUs)),
    blocks: buildBlocks(entries, nowUs)
  }
}

/** A standing as the block of its partition leaves it. */
export function applyBlock (standing: Standing, entry: PenaltyEntry | null, nowUs: number): Standing {
  const leftUs = entry === null ? 0 : blockedUs(entry.state, nowUs)
  if (leftUs === 0) return standing
  const retryUs = standing.retryUs === 'never' ? 'never' : Math.max(standing.retryUs, leftUs)
  return { ...standing, granted: false, delayUs: 0, retryUs, blockedUs: leftUs }
}

/** One for each charge; charges of one penalty and partition share theirs. */
function loadEntries (penalties: Penalties, charges: readonly Charge[], nowUs: number): Array<PenaltyEntry | null> {
  const entries: Array<PenaltyEntry | null> = []
  for (const { limit, partition, strikes = 0 } of charges) {
    const penalty = findPenalty(limit)
    const entry = penalty === null
      ? null
      : entries.find((known) => known?.penalty.bucket === penalty.bucket && known.partition === partition) ?? penalties.loadEntry(penalty, partition, nowUs)
    entries.push(entry)
    if (entry !== null && strikes > 0 && blockedUs(entry.state, nowUs) === 0) penalties.addStrikes(entry, strikes, nowUs)
  }
  return entries
}

/** However many limits refused, a request is one strike of a partition. */
function strikeRefused (penalties: Penalties, entries: ReadonlyArray<PenaltyEntry | null>, charges: readonly Charge[], receipt: Receipt, nowUs: number): void {
  const struck = new Set<PenaltyEntry>()
  receipt.standings.forEach((standing, i) => {
    const entry = entries[i]
    if (entry !== null && isStrike(standing, charges[i].cost)) struck.add(entry)
  })
  for (const entry of struck) penalties.addStrikes(entry, 1, nowUs)
}

function buildBlocks (entries: ReadonlyArray<PenaltyEntry | null>, nowUs: number): Block[] {
  const blocks: Block[] = []
  for (const entry of new Set(entries)) {
    if (entry === null) continue
    const leftUs = blockedUs(entry.state, nowUs)
    if (leftUs > 0) blocks.push({ partition: entry.partition, blockedUs: leftUs, began: entry.began })
  }
  return blocks
}
