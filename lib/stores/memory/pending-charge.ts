import { createQuota, type Quota } from '../../algorithms/quota.js'
import type { GrantLog } from '../../algorithms/sliding-window.js'
import { createCheckResult } from '../../algorithms/check-result.js'
import type { CheckResult } from '../../algorithms/check-result.js'
import type { Limit, Standing } from '../store.js'
import type { Bucket } from './bucket.js'
import type { Hash } from './hash.js'
import { ABSENT } from './table.js'
import type { Table } from './table.js'

/** Stands where nothing was read yet. */
const NO_QUOTA: Quota = createQuota('fixed-window', 0, 1)

/** One charge on its way: where its bucket is, what was read there, what was decided. The next take uses it again. */
export class PendingCharge implements Bucket, Hash {
  /** The partition's hash, its first word mixed with the family. */
  word0 = 0
  word1 = 0
  word2 = 0
  groupId = 0
  /** `null` while the bucket's shard is empty. */
  table: Table | null = null
  slot = ABSENT
  /** `Shards.moves` when table and slot were found. */
  foundAt = 0
  timeUs = 0
  count = 0
  log: GrantLog | null = null
  /** Whether the bucket was written under other numbers than it is read for. */
  isCarried = false
  /** The numbers that decide: the limit's, or those of a later generation that has the bucket already. */
  quota: Quota = NO_QUOTA
  /** Whether the units are taken; of several charges only. */
  isCharged = false
  readonly result: CheckResult = createCheckResult()
}

export function createStanding (limit: Limit, partition: string, charged: number, result: CheckResult): Standing {
  return {
    limit,
    partition,
    charged,
    granted: result.granted,
    // By the numbers of a later generation it may be more than this one's.
    remaining: Math.min(result.remaining, limit.capacity),
    resetUs: result.resetUs,
    delayUs: result.delayUs,
    retryUs: result.retryUs,
    blockedUs: 0
  }
}
