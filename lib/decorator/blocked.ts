import { formatPartition } from '../clients/partition.js'
import { badOption } from '../config/schema/check.js'
import type { SnapshotHolder } from '../runtime/snapshot.js'
import { findPenalty, type ActiveBlock, type Limit, type Store } from '../stores/store.js'

const MAX_PAGE_SIZE = 1000
const DEFAULT_PAGE_SIZE = 100

/** Selects a page of the list. */
export interface BlockedQuery {
  /** The `cursor` of the previous page. Without it, the first page is returned. */
  readonly cursor?: string
  /** Maximum number of entries, 1 to 1000. Default 100. */
  readonly limit?: number
}

/** A partition that a penalty blocks. */
export interface BlockedPartition {
  /** In the form that `peek` and `reset` accept. */
  readonly partition: string
  /** The scope in which it is blocked, such as `default` or `rule:login`. */
  readonly scope: string
  /** Milliseconds, rounded up, until the block ends. */
  readonly remainingMs: number
}

/** One page of the blocked partitions, sorted by partition. */
export interface BlockedPage {
  /** May be shorter than `limit` although more pages follow. Only `cursor: null` marks the last page. */
  readonly blocked: readonly BlockedPartition[]
  /** Start of the next page; `null` on the last one. Blocks that begin or end between two pages do not shift the others. */
  readonly cursor: string | null
}

/** The sort key of the list. */
type BlockCursor = Pick<ActiveBlock, 'partition' | 'penalty'>

/**
 * List the blocks that this process knows: with the memory store all of them, with Redis those that it began or met.
 * The store confirms each block of a page, since another process may have lifted it. If the store fails, the known
 * block counts. Rejects with FST_SLUICE_BAD_OPTION.
 */
export function createBlocked (snapshots: SnapshotHolder): (query?: BlockedQuery) => Promise<BlockedPage> {
  return async function blocked ({ cursor, limit } = {}) {
    const pageSize = limit === undefined ? DEFAULT_PAGE_SIZE : limit
    if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > MAX_PAGE_SIZE) {
      throw badOption('limit', `an integer from 1 to ${MAX_PAGE_SIZE}`, pageSize)
    }
    const after = cursor === undefined ? null : parseCursor(cursor)
    const { policySet: { buckets }, services: { backend } } = snapshots.current
    // Skip blocks of scopes that a reload removed: they no longer refuse any request.
    const limits = limitsByPenalty(buckets.limits())
    const page = takePage(after, pageSize, backend.blocks(), ({ penalty }) => limits.has(penalty))
    const stillBlocked = await Promise.all(page.map(async (block) => {
      const limit = limits.get(block.penalty)
      if (limit === undefined) return []
      const remainingMs = Math.ceil(await fetchRemaining(block, limit, backend.store) / 1000)
      return remainingMs === 0 ? [] : [{ partition: formatPartition(block.partition), scope: buckets.getScope(limit), remainingMs }]
    }))
    return { blocked: stillBlocked.flat(), cursor: page.length < pageSize ? null : formatCursor(page[page.length - 1]) }
  }
}

/** One limit for each penalty: `peek` needs it to read the penalty. */
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
    // The failure is already logged and counted. The known block counts, for `maxCooldown` at most.
    return Math.min(leftUs, findPenalty(limit)?.maxCooldownUs ?? 0)
  }
}

/** The first blocks after a cursor, without duplicates. Does not sort the whole list: it may have 100,000 blocks. */
function takePage (
  after: BlockCursor | null, pageSize: number, blocks: Iterable<ActiveBlock>, isListed: (block: ActiveBlock) => boolean
): ActiveBlock[] {
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
    // Not a cursor: reported below.
  }
  throw badOption('cursor', 'the cursor of the previous page', cursor)
}
