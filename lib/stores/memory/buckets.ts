import { withMaxDelay } from '../../algorithms/quota.js'
import { appendGrant, createGrantLog } from '../../algorithms/sliding-window.js'
import type { Clock } from '../../common/clock.js'
import type { Limit } from '../store.js'
import { clearBucket, convertBucket, hasExpired } from './bucket.js'
import { TextHasher } from './hash.js'
import { Random, secretWords } from './random.js'
import { hasSameNumbers, LimitRegistry } from './registry.js'
import { Shards } from './shards.js'
import { ABSENT } from './table.js'
import type { PendingCharge } from './pending-charge.js'

/** 2^32 divided by the golden ratio, made odd, so that the groups of one partition differ in every bit pattern. */
const GROUP_STEP = 0x9e3779b1 | 0

/** Finds, reads and writes the bucket of a limit and a partition, through a `PendingCharge`. */
export class Buckets {
  readonly registry = new LimitRegistry()
  readonly shards: Shards
  readonly #hasher: TextHasher

  constructor (clock: Clock, maxKeys: number, seed: number | undefined) {
    const [key0, key1, sampling] = seed === undefined ? secretWords(3) : [seed, ~seed, seed + 1]
    this.#hasher = new TextHasher(key0, key1)
    this.shards = new Shards(this.registry, new Random(sampling), clock, maxKeys)
  }

  /** Set the partition for the next calls of `find`, so that its hash is computed once for several limits. */
  selectPartition (partition: string): void {
    this.#hasher.hash(partition)
  }

  /** Find the group's bucket of the selected partition. */
  find (pending: PendingCharge, groupId: number): void {
    pending.groupId = groupId
    pending.word0 = this.#hasher.word0 ^ Math.imul(groupId, GROUP_STEP)
    pending.word1 = this.#hasher.word1
    pending.word2 = this.#hasher.word2
    this.#findSlot(pending)
  }

  /**
   * Read the found bucket for the numbers of a limit. If a later generation uses the bucket already, read it for the
   * numbers of that one. A conversion to the earlier numbers and back would lose the units that exceed them. The client
   * would get these units again with each such request.
   */
  read (pending: PendingCharge, limit: Limit, nowUs: number): void {
    const { table, slot } = pending
    pending.quota = limit
    pending.isCarried = false
    if (table === null || slot === ABSENT) return clearBucket(pending, nowUs)
    pending.timeUs = table.timeAt(slot)
    pending.count = table.countAt(slot)
    pending.log = table.logAt(slot)
    const written = this.registry.getLimit(table.versionAt(slot))
    if (hasSameNumbers(written, limit)) return
    if (this.registry.isSuperseded(limit)) {
      pending.quota = withMaxDelay(written, Math.min(limit.maxDelayUs, written.ceilingUs - written.capacityUs))
    } else {
      pending.isCarried = true
      convertBucket(pending, written, limit, nowUs)
    }
  }

  /** Whether the limit's algorithm has written a bucket here. */
  hasBucket (pending: PendingCharge, limit: Limit): boolean {
    const { table, slot } = pending
    return table !== null && slot !== ABSENT && this.registry.getLimit(table.versionAt(slot)).algorithm === limit.algorithm
  }

  /** Write the bucket after a granted charge. */
  commit (pending: PendingCharge, limit: Limit, cost: number, nowUs: number): void {
    if (cost === 0) return
    this.#refresh(pending, limit, nowUs)
    if (pending.quota.algorithm === 'sliding-window') {
      pending.log ??= createGrantLog()
      appendGrant(pending.quota, pending.log, cost, nowUs)
    }
    this.write(pending, limit, nowUs)
  }

  /**
   * Write an uncharged bucket whose old state must not be read again. A bucket of other numbers drains at another rate
   * than the stated wait. A bucket that a clock, stepping back, left in the future would restart the wait on each read.
   */
  repair (pending: PendingCharge, limit: Limit, nowUs: number): void {
    const isAhead = pending.quota.algorithm !== 'sliding-window' && pending.result.timeUs < pending.timeUs
    if (!(pending.isCarried || isAhead) || limit.max === 0) return
    this.#refresh(pending, limit, nowUs)
    if (pending.slot !== ABSENT) this.write(pending, limit, nowUs)
  }

  /** Store the bucket of the result, or remove it when nothing is used. */
  write (pending: PendingCharge, limit: Limit, nowUs: number): void {
    const { result, log } = pending
    if (result.resetUs === 0) {
      this.#remove(pending)
    } else if (pending.table === null || pending.slot === ABSENT) {
      const table = this.shards.prepareTable(pending.word0, nowUs)
      const version = this.registry.findOrAddVersion(limit)
      table.write(table.insert(pending, version), version, result.timeUs, result.count, log)
    } else {
      const { table, slot } = pending
      const before = table.versionAt(slot)
      const isSame = hasSameNumbers(this.registry.getLimit(before), pending.quota)
      table.write(slot, isSame ? before : this.registry.findOrAddVersion(limit), result.timeUs, result.count, log)
      // Another pending charge of this bucket has read it for the old limit.
      if (!isSame) this.shards.moves++
    }
  }

  /** Remove the found bucket. Returns whether anything was used. */
  reset (pending: PendingCharge, nowUs: number): boolean {
    const { table, slot } = pending
    if (table === null || slot === ABSENT) return false
    const written = this.registry.getLimit(table.versionAt(slot))
    const isUsed = !hasExpired(written, table.timeAt(slot), table.countAt(slot), table.logAt(slot), nowUs)
    this.#remove(pending)
    return isUsed
  }

  /** Find and read the bucket again if slots have moved since it was found. */
  #refresh (pending: PendingCharge, limit: Limit, nowUs: number): void {
    if (pending.foundAt === this.shards.moves) return
    this.#findSlot(pending)
    this.read(pending, limit, nowUs)
  }

  #remove (pending: PendingCharge): void {
    if (pending.table !== null && pending.slot !== ABSENT) this.shards.remove(pending.table, pending.slot)
  }

  #findSlot (pending: PendingCharge): void {
    const table = this.shards.findTable(pending.word0)
    pending.table = table
    pending.slot = table === null ? ABSENT : table.find(pending, pending.groupId)
    pending.foundAt = this.shards.moves
  }
}
