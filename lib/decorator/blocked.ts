import { textOfPartition } from '../clients/partition.js'
import { badOption } from '../config/schema/check.js'
import type { SnapshotHolder } from '../runtime/snapshot.js'
import { penaltyOf, type HeldBlock, type Limit, type Store } from '../stores/store.js'

const MOST_PER_PAGE = 1000
const PAGE = 100

/** Which part of the list is asked for. */
export interface BlockedQuery {
  /** Where to go on: the `cursor` of the page before. Without it, at the beginning. */
  readonly cursor?: string
  /** The most that are answered, 1 to 1000. Default 100. */
  readonly limit?: number
}

/** A partition that a penalty blocks. */
export interface BlockedPartition {
  /** As `peek` and `reset` take it. */
  readonly partition: string
  /** Where it is blocked, such as `default` or `rule:login`. */
  readonly scope: string
  /** Until the block ends, milliseconds, rounded up. */
  readonly remainingMs: number
}

/** A part of the list of those who are blocked. It is in the order of their partitions. */
export interface BlockedPage {
  /** They may be fewer than asked for while there are more: the list ends where `cursor` is `null`. */
  readonly blocked: readonly BlockedPartition[]
  /** Where the next page begins. Blocks that begin or end between two pages move no other from its place. */
  readonly cursor: string | null
}

/** What the list is ordered by. */
type Place = Pick<HeldBlock, 'partition' | 'penalty'>

/**
 * Who is blocked now, as far as this process knows: in memory everybody, in Redis whom it blocked or refused itself.
 * The store is asked about each of a page, for another process may have lifted the block; while it cannot answer, what
 * is remembered holds. Rejects with FST_SLUICE_BAD_OPTION.
 */
export function blockedIn (snapshots: SnapshotHolder): (query?: BlockedQuery) => Promise<BlockedPage> {
  return async function blocked ({ cursor, limit: most = PAGE } = {}) {
    if (!Number.isInteger(most) || most < 1 || most > MOST_PER_PAGE) throw badOption('limit', `an integer from 1 to ${MOST_PER_PAGE}`, most)
    const after = cursor === undefined ? null : placeOf(cursor)
    const { book: { buckets }, services: { backend } } = snapshots.current
    // Blocks of scopes that a reload took away hold nobody up.
    const limits = limitsByPenalty(buckets.limits())
    const page = firstAfter(after, most, backend.blocks(), ({ penalty }) => limits.has(penalty))
    const standing = await Promise.all(page.map(async (block) => {
      const limit = limits.get(block.penalty)
      const leftUs = limit === undefined ? 0 : await leftOf(block, limit, backend.store)
      return limit === undefined || leftUs === 0 ? [] : [{ partition: textOfPartition(block.partition), scope: buckets.scopeOf(limit), remainingMs: Math.ceil(leftUs / 1000) }]
    }))
    return { blocked: standing.flat(), cursor: page.length < most ? null : cursorOf(page[page.length - 1]) }
  }
}

/** A limit of each penalty, by which the store can be asked about it. */
function limitsByPenalty (limits: readonly Limit[]): Map<string, Limit> {
  const byPenalty = new Map<string, Limit>()
  for (const limit of limits) {
    const penalty = penaltyOf(limit)
    if (penalty !== null) byPenalty.set(penalty.bucket, limit)
  }
  return byPenalty
}

async function leftOf ({ partition, leftUs }: HeldBlock, limit: Limit, store: Store): Promise<number> {
  try {
    const [standing] = await store.peek([limit], partition)
    return standing.blockedUs
  } catch {
    // The store's failure is logged and counted, and blocks hold meanwhile: never longer than this rule's longest.
    return Math.min(leftUs, penaltyOf(limit)?.maxCooldownUs ?? 0)
  }
}

/** The first blocks that come after a place, each once: without sorting all of them, for there may be a hundred thousand. */
function firstAfter (after: Place | null, most: number, blocks: Iterable<HeldBlock>, isListed: (block: HeldBlock) => boolean): HeldBlock[] {
  let kept: HeldBlock[] = []
  let last: HeldBlock | null = null
  for (const block of blocks) {
    if (after !== null && compare(block, after) <= 0) continue
    if (last !== null && compare(block, last) >= 0) continue
    if (!isListed(block)) continue
    kept.push(block)
    if (kept.length < 2 * most) continue
    kept = inOrder(kept).slice(0, most)
    last = kept.length < most ? null : kept[most - 1]
  }
  return inOrder(kept).slice(0, most)
}

function inOrder (blocks: readonly HeldBlock[]): HeldBlock[] {
  return [...blocks].sort(compare).filter((block, index, all) => index === 0 || compare(all[index - 1], block) !== 0)
}

function compare (a: Place, b: Place): number {
  return compareText(a.partition, b.partition) || compareText(a.penalty, b.penalty)
}

function compareText (a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function cursorOf ({ partition, penalty }: Place): string {
  return Buffer.from(JSON.stringify([partition, penalty])).toString('base64url')
}

/** Throws FST_SLUICE_BAD_OPTION. */
function placeOf (cursor: unknown): Place {
  try {
    const read: unknown = JSON.parse(Buffer.from(String(cursor), 'base64url').toString())
    if (Array.isArray(read) && read.length === 2) {
      const [partition, penalty]: unknown[] = read
      if (typeof partition === 'string' && typeof penalty === 'string') return { partition, penalty }
    }
  } catch {
    // It is no cursor.
  }
  throw badOption('cursor', 'the cursor of the page before', cursor)
}
