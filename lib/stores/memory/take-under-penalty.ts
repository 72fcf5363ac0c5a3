import { blockedUs } from '../../algorithms/penalty.js'
import { isStrike, findPenalty, type Block, type Charge, type Receipt, type Standing } from '../store.js'
import type { Penalties, PenaltyEntry } from './penalties.js'
import type { OpenReceipt } from './take-all.js'

/*
 * A take in which some charges have a penalty. First the strikes of the charges are added, then the block is checked,
 * then the buckets are charged. Last, a refusal adds a strike.
 */

/** `take` charges the buckets. Its argument is whether the request is blocked. */
export function takeUnderPenalty (
  penalties: Penalties, charges: readonly Charge[], nowUs: number, take: (isBlocked: boolean) => Receipt
): OpenReceipt {
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

/** Apply the block of a partition to a standing. */
export function applyBlock (standing: Standing, entry: PenaltyEntry | null, nowUs: number): Standing {
  const leftUs = entry === null ? 0 : blockedUs(entry.state, nowUs)
  if (leftUs === 0) return standing
  const retryUs = standing.retryUs === 'never' ? 'never' : Math.max(standing.retryUs, leftUs)
  return { ...standing, granted: false, delayUs: 0, retryUs, blockedUs: leftUs }
}

/** One entry for each charge. Charges of one penalty and partition share an entry. */
function loadEntries (penalties: Penalties, charges: readonly Charge[], nowUs: number): Array<PenaltyEntry | null> {
  const entries: Array<PenaltyEntry | null> = []
  for (const { limit, partition, strikes = 0 } of charges) {
    const penalty = findPenalty(limit)
    const entry = penalty === null
      ? null
      : entries.find((known) => known?.penalty.bucket === penalty.bucket && known.partition === partition) ??
        penalties.loadEntry(penalty, partition, nowUs)
    entries.push(entry)
    if (entry !== null && strikes > 0 && blockedUs(entry.state, nowUs) === 0) penalties.addStrikes(entry, strikes, nowUs)
  }
  return entries
}

/** A refused request is one strike of a partition, however many limits refused it. */
function strikeRefused (
  penalties: Penalties, entries: ReadonlyArray<PenaltyEntry | null>, charges: readonly Charge[], receipt: Receipt, nowUs: number
): void {
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
