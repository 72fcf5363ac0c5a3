import { formatPartition } from '../clients/partition.js'
import { badOption } from '../config/schema/check.js'
import type { SnapshotHolder } from '../runtime/snapshot.js'
import { findPenalty, type ActiveBlock, type Limit, type Store } from '../stores/store.js'

const MAX_PAGE_SIZE = 1000
const DEFAULT_PAGE_SIZE = 100

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
type BlockCursor = Pick<ActiveBlock, 'partition' | 'penalty'>

/**
 * Who is blocked now, as far as this process knows: in memory everybody, in Redis whom it blocked or refused itself.
 * The store is asked about each of a page, for another process may have lifted the block; while it cannot answer, what
 * is remembered holds. Rejects with FST_SLUICE_BAD_OPTION.
 */
export function createBlocked (snapshots: SnapshotHolder): (query?: BlockedQuery) => Promise<BlockedPage> {
  return async function blocked ({ cursor, limit: pageSize = DEFAULT_PAGE_SIZE } = {}) {
    if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > MAX_PAGE_SIZE) throw badOption('limit', `an integer from 1 to ${MAX_PAGE_SIZE}`, pageSize)
    const after = cursor === undefined ? null : parseCursor(cursor)
    const { policySet: { buckets }, services: { backend } } = snapshots.current
    // Blocks of scopes that a reload took away hold nobody up.
    const limits = limitsByPenalty(buckets.limits())
    const page = takePage(after, pageSize, backend.blocks(), ({ penalty }) => limits.has(penalty))
    const stillBlocked = await Promise.all(page.map(async (block) => {
      const limit = limits.get(block.penalty)
      const leftUs = limit === undefined ? 0 : await fetchRemaining(block, limit, backend.store)
      return limit === undefined || leftUs === 0 ? [] : [{ partition: formatPartition(block.partition), scope: buckets.getScope(limit), remainingMs: Math.ceil(leftUs / 1000) }]
    }))
    return { blocked: stillBlocked.flat(), cursor: page.length < pageSize ? null : formatCursor(page[page.length - 1]) }
  }
}

/** A limit of each penalty, by which the store can be asked about it. */
function limitsByPenalty (limits: readonly Limit[]): Map<string, Limit> {
  const byPenalty = new Map<string, Limit>()
  for (const limit of limits) {
    const penalty = findPenalty(limit)
    if (penalty !== null) byPenalty.set(penalty.bucket, limit)
  }
  return byPenalty
}

async function fetchRemaining ({ partition, leftUs }: ActiveBlock, limit: Limit, store: Store): Promise<number> {
  try {
    const [standing] = await store.peek([limit], partition)
    return standing.blockedUs
  } catch {
    // The store's failure is logged and counted, and blocks hold meanwhile: never longer than this rule's longest.
    return Math.min(leftUs, findPenalty(limit)?.maxCooldownUs ?? 0)
  }
}

/** The first blocks that come after a place, each once: without sorting all of them, for there may be a hundred thousand. */
function takePage (after: BlockCursor | null, pageSize: number, blocks: Iterable<ActiveBlock>, isListed: (block: ActiveBlock) => boolean): ActiveBlock[] {
  let kept: ActiveBlock[] = []
  let last: ActiveBlock | null = null
  for (const block of blocks) {
    if (after !== null && compareBlocks(block, after) <= 0) continue
    if (last !== null && compareBlocks(block, last) >= 0) continue
    if (!isListed(block)) continue
    kept.push(block)
    if (kept.length < 2 * pageSize) continue
    kept = sortUnique(kept).slice(0, pageSize)
    last = kept.length < pageSize ? null : kept[pageSize - 1]
  }
  return sortUnique(kept).slice(0, pageSize)
}

function sortUnique (blocks: readonly ActiveBlock[]): ActiveBlock[] {
  return [...blocks].sort(compareBlocks).filter((block, index, all) => index === 0 || compareBlocks(all[index - 1], block) !== 0)
}

function compareBlocks (a: BlockCursor, b: BlockCursor): number {
  return compareText(a.partition, b.partition) || compareText(a.penalty, b.penalty)
}

function compareText (a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function formatCursor ({ partition, penalty }: BlockCursor): string {
  return Buffer.from(JSON.stringify([partition, penalty])).toString('base64url')
}

/** Throws FST_SLUICE_BAD_OPTION. */
function parseCursor (cursor: unknown): BlockCursor {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(String(cursor), 'base64url').toString())
    if (Array.isArray(parsed) && parsed.length === 2) {
      const [partition, penalty]: unknown[] = parsed
      if (typeof partition === 'string' && typeof penalty === 'string') return { partition, penalty }
    }
  } catch {
    // It is no cursor.
  }
  throw badOption('cursor', 'the cursor of the page before', cursor)
}
