import type { Overuse } from '../../algorithms/carry-over.js'
import { createQuota, type Quota } from '../../algorithms/quota.js'
import type { GrantLog } from '../../algorithms/sliding-window.js'
import { createCheckResult } from '../../algorithms/check-result.js'
import type { CheckResult } from '../../algorithms/check-result.js'
import type { Limit, Standing } from '../store.js'
import type { Bucket } from './bucket.js'
import type { Hash } from './hash.js'
import type { Shards } from './shards.js'
import { ABSENT } from './table.js'
import type { Table } from './table.js'

/** The quota before a bucket was read. */
const NO_QUOTA: Quota = createQuota('fixed-window', 0, 1)

/** One charge in progress: the place of its bucket, the state read there, and the result. The next take reuses the object. */
export class PendingCharge implements Bucket, Hash {
  /** The hash of the partition; the group id is mixed into the first word. */
  word0 = 0
  word1 = 0
  word2 = 0
  groupId = 0
  partition = ''
  /** Whether a new bucket may find no room. Then the bucket of the partition's group is read. */
  isCrowded = false
  /** The group that was charged in place of the partition: see `SharedBuckets`. */
  sharedPartition: string | null = null
  /** The shards of table and slot; `null` for those of single partitions. */
  shards: Shards | null = null
  /** `null` while the shard of the bucket is empty. */
  table: Table | null = null
  slot = ABSENT
  /** `Shards.moves` when table and slot were found. */
  foundAt = 0
  timeUs = 0
  count = 0
  log: GrantLog | null = null
  overuse: Overuse | null = null
  /** Whether the bucket was converted from other numbers. */
  isCarried = false
  /** The numbers that decide: those of the limit, or of a later generation that uses the bucket already. */
  quota: Quota = NO_QUOTA
  /** Whether the units are taken. Used only for several charges. */
  isCharged = false
  readonly result: CheckResult = createCheckResult()
}

export function createStanding (limit: Limit, partition: string, charged: number, pending: PendingCharge): Standing {
  const { quota, result, sharedPartition } = pending
  const standing = {
    limit,
    partition,
    charged,
    granted: result.granted,
    // The numbers of a later generation may allow more than this limit.
    remaining: Math.min(result.remaining, limit.capacity),
    resetUs: result.resetUs,
    delayUs: result.delayUs,
    retryUs: result.retryUs,
    blockedUs: 0
  }
  const used = quota.algorithm === 'calendar-window' ? { ...standing, usage: { units: result.count, endUs: result.timeUs } } : standing
  return sharedPartition === null || charged === 0 ? used : { ...used, sharedPartition }
}
