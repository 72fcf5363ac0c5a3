import { appendGrant, createGrantLog } from '../../algorithms/sliding-window.js'
import type { Clock } from '../../common/clock.js'
import type { Limit } from '../store.js'
import { chargeBucket, convertBucket, hasExpired, hasMoved, noteUsed } from './bucket.js'
import { TextHasher, toGroupWord } from './hash.js'
import { OverflowGroups } from './overflow-groups.js'
import type { PendingCharge } from './pending-charge.js'
import { Random, secretWords } from './random.js'
import { hasSameNumbers, LimitRegistry } from './registry.js'
import { SharedBuckets } from './shared-buckets.js'
import { Shards } from './shards.js'
import { readSlot, writeSlot } from './slots.js'
import { ABSENT } from './table.js'

/** Minimum number of buckets of groups. They come on top of `maxKeys`; with more keys it is an eighth of that. */
const MIN_SHARED = 1024

/** Finds, reads and writes the bucket of a limit and a partition through a `PendingCharge`. */
export class Buckets {
  readonly registry = new LimitRegistry()
  readonly shards: Shards
  readonly groups: OverflowGroups
  readonly shared: SharedBuckets
  readonly #hasher: TextHasher
  readonly #onOverflow: () => void
  #partition = ''

  constructor (clock: Clock, maxKeys: number, seed: number | undefined, onOverflow: () => void) {
    const [key0, key1, sampling] = seed === undefined ? secretWords(3) : [seed, ~seed, seed + 1]
    const random = new Random(sampling)
    this.#hasher = new TextHasher(key0, key1)
    this.#onOverflow = onOverflow
    this.shards = new Shards(this.registry, random, clock, maxKeys)
    this.groups = new OverflowGroups(key0, key1)
    const sharedShards = new Shards(this.registry, random, clock, Math.max(MIN_SHARED, maxKeys >>> 3))
    this.shared = new SharedBuckets(sharedShards, this.registry, this.groups, new TextHasher(key0, key1))
  }

  /** Set the partition for the next calls of `find`, so that its hash is computed once for several limits. */
  selectPartition (partition: string): void {
    this.#partition = partition
    this.#hasher.hash(partition)
  }

  /** Find the group's bucket of the selected partition. */
  find (pending: PendingCharge, groupId: number): void {
    pending.groupId = groupId
    pending.partition = this.#partition
    pending.sharedPartition = null
    pending.shards = null
    pending.word0 = toGroupWord(this.#hasher.word0, groupId)
    pending.word1 = this.#hasher.word1
    pending.word2 = this.#hasher.word2
    this.#findSlot(pending)
  }

  /** Read the found bucket, or that of the partition's overflow group, for the numbers of a limit: see `readSlot`. */
  read (pending: PendingCharge, limit: Limit, nowUs: number): void {
    if (!pending.isCrowded || !this.shared.read(pending, limit, nowUs)) readSlot(this.registry, pending, limit, nowUs)
  }

  /** Whether the limit's algorithm has written a bucket here. */
  hasBucket (pending: PendingCharge, limit: Limit): boolean {
    const { table, slot } = pending
    return table !== null && slot !== ABSENT && this.registry.getLimit(table.versionAt(slot)).algorithm === limit.algorithm
  }

  /** Write the bucket after a granted charge. */
  commit (pending: PendingCharge, limit: Limit, cost: number, nowUs: number): void {
    if (cost === 0) return
    const wasCrowded = pending.isCrowded
    this.#refresh(pending, limit, nowUs)
    if (wasCrowded || pending.isCrowded) return this.#chargeCrowded(pending, limit, cost, nowUs)
    noteUsed(pending, cost, nowUs)
    if (pending.quota.algorithm === 'sliding-window') {
      pending.log ??= createGrantLog()
      appendGrant(pending.quota, pending.log, cost, nowUs)
    }
    this.write(pending, limit, nowUs)
  }

  /** Charge the bucket that was found and read, without a check. */
  charge (pending: PendingCharge, limit: Limit, units: number, nowUs: number): void {
    if (pending.isCrowded) return this.#chargeCrowded(pending, limit, units, nowUs)
    chargeBucket(pending.quota, pending, units, nowUs, pending.result)
    this.write(pending, limit, nowUs)
  }

  /**
   * Write an uncharged bucket whose old state must not be read again: see `hasMoved`. A bucket of other numbers drains at
   * another rate than the stated wait.
   */
  repair (pending: PendingCharge, limit: Limit, nowUs: number): void {
    if (!(pending.isCarried || hasMoved(pending.quota, pending, pending.result)) || limit.max === 0) return
    if (pending.isCrowded) return this.shared.charge(pending, limit, 0, nowUs)
    this.#refresh(pending, limit, nowUs)
    if (pending.slot !== ABSENT) this.write(pending, limit, nowUs)
  }

  /** Store the bucket of the result, or remove it when nothing is used. */
  write (pending: PendingCharge, limit: Limit, nowUs: number): void {
    const { table, slot } = pending
    if (pending.result.resetUs === 0 && pending.overuse === null) this.#remove(pending)
    // Another pending charge of this bucket has read it for the old limit.
    else if (table === null || slot === ABSENT) this.#insert(pending, limit, nowUs)
    else if (writeSlot(this.registry, pending, limit)) this.shards.moves++
  }

  /** Remove the found bucket. Returns whether anything was used. */
  reset (pending: PendingCharge, nowUs: number): boolean {
    const { table, slot } = pending
    if (table === null || slot === ABSENT) return false
    const written = this.registry.getLimit(table.versionAt(slot))
    const isUsed = !hasExpired(written, table, slot, nowUs)
    this.#remove(pending)
    return isUsed
  }

  /** Charge a partition that may have no room for a bucket: its own bucket if there is room, else that of its group. */
  #chargeCrowded (pending: PendingCharge, limit: Limit, units: number, nowUs: number): void {
    // Another charge of this request may have created the bucket, or charged the group.
    this.#findSlot(pending)
    this.read(pending, limit, nowUs)
    const isAbsent = pending.slot === ABSENT
    const isConverted = isAbsent && !hasSameNumbers(pending.quota, limit)
    // The numbers of a later generation: the group keeps them, see `readSlot`.
    if (isConverted && this.registry.isSuperseded(limit)) return this.#chargeShared(pending, limit, units, nowUs)
    if (isConverted) {
      convertBucket(pending, pending.quota, limit, nowUs)
      pending.quota = limit
    }
    chargeBucket(pending.quota, pending, units, nowUs, pending.result)
    if (!isAbsent) return this.write(pending, limit, nowUs)
    if (pending.result.resetUs > 0 && !this.#insert(pending, limit, nowUs)) this.#chargeShared(pending, limit, units, nowUs)
  }

  #chargeShared (pending: PendingCharge, limit: Limit, units: number, nowUs: number): void {
    this.shared.charge(pending, limit, units, nowUs)
    this.#onOverflow()
  }

  /** Returns whether there was room. */
  #insert (pending: PendingCharge, limit: Limit, nowUs: number): boolean {
    const table = this.shards.prepareTable(pending.word0, nowUs)
    if (table === null) return false
    const version = this.registry.findOrAddVersion(limit)
    table.write(table.insert(pending, version), version, pending.result, pending.log, pending.overuse)
    return true
  }

  /** Find and read the bucket again if slots have moved since it was found. */
  #refresh (pending: PendingCharge, limit: Limit, nowUs: number): void {
    if (pending.foundAt === this.shards.moves) return
    this.#findSlot(pending)
    this.read(pending, limit, nowUs)
  }

  #remove (pending: PendingCharge): void {
    if (pending.table !== null && pending.slot !== ABSENT) (pending.shards ?? this.shards).remove(pending.table, pending.slot)
  }

  #findSlot (pending: PendingCharge): void {
    const table = this.shards.findTable(pending.word0)
    pending.table = table
    pending.slot = table === null ? ABSENT : table.find(pending, pending.groupId)
    pending.isCrowded = pending.slot === ABSENT && (this.shards.isFull || this.shared.shards.count > 0)
    pending.foundAt = this.shards.moves
  }
}
