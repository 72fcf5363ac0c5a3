import { createQuota } from '../../algorithms/quota.js'
import type { Limit } from '../store.js'
import { chargeBucket } from './bucket.js'
import { toGroupWord, type TextHasher } from './hash.js'
import type { OverflowGroups } from './overflow-groups.js'
import { PendingCharge } from './pending-charge.js'
import type { LimitRegistry } from './registry.js'
import type { Shards } from './shards.js'
import { readSlot, writeSlot } from './slots.js'
import { ABSENT } from './table.js'

/**
 * Buckets of groups, for partitions that have no room for their own. A bucket in use is never dropped, so a flood of
 * partitions regains nothing: it uses up the budget of its own group.
 *
 * A partition that gets room later begins with what its group has used. That is at least what the partition has used, so
 * it is never granted more than its limit, however it goes to and fro.
 */
export class SharedBuckets {
  readonly shards: Shards
  readonly #registry: LimitRegistry
  readonly #groups: OverflowGroups
  readonly #hasher: TextHasher
  readonly #place = new PendingCharge()
  readonly #limits = new WeakMap<Limit, Limit>()

  constructor (shards: Shards, registry: LimitRegistry, groups: OverflowGroups, hasher: TextHasher) {
    this.shards = shards
    this.#registry = registry
    this.#groups = groups
    this.#hasher = hasher
  }

  /**
   * The limit as a group's bucket counts it. A fixed window of the group would end before that of a partition which
   * was charged late in it, so there it is a sliding window with the same numbers. The same holds for periods that differ by
   * client.
   */
  toShared (limit: Limit): Limit {
    if (limit.algorithm !== 'fixed-window' && limit.calendar?.isPerClient !== true) return limit
    let shared = this.#limits.get(limit)
    if (shared === undefined) {
      shared = { ...limit, ...createQuota('sliding-window', limit.max, limit.calendar === null ? limit.windowUs : limit.ceilingUs) }
      this.#limits.set(limit, shared)
    }
    return shared
  }

  /** Read what the partition's group has used. Answers whether it has a bucket. */
  read (pending: PendingCharge, limit: Limit, nowUs: number): boolean {
    if (this.shards.count === 0) return false
    const { name, widest } = this.#groups.find(pending.partition)
    const place = this.#place
    if (!this.#find(name, pending.groupId) && !this.#find(widest, pending.groupId)) return false
    readSlot(this.#registry, place, this.toShared(limit), nowUs)
    pending.timeUs = place.timeUs
    pending.count = place.count
    // A copy: the partition may go on with it in a bucket of its own.
    pending.log = place.log === null ? null : [...place.log]
    pending.overuse = place.overuse
    pending.quota = place.quota
    pending.isCarried = place.isCarried
    return true
  }

  /** Charge the group without asking. Notes in `pending` which bucket was charged. */
  charge (pending: PendingCharge, limit: Limit, units: number, nowUs: number): void {
    const shared = this.toShared(limit)
    const { name, widest } = this.#groups.find(pending.partition)
    const place = this.#place
    pending.sharedPartition = name
    if (!this.#find(name, pending.groupId)) {
      // One that has room now goes on with what was used in the widest group, as a partition does.
      const hasWidest = this.#find(widest, pending.groupId)
      readSlot(this.#registry, place, shared, nowUs)
      if (hasWidest && place.log !== null) place.log = [...place.log]
      chargeBucket(place.quota, place, units, nowUs, place.result)
      if (place.result.resetUs === 0 || this.#insert(name, pending.groupId, shared, nowUs, false)) return
      pending.sharedPartition = widest
      if (!this.#find(widest, pending.groupId)) {
        this.#insert(widest, pending.groupId, shared, nowUs, true)
        return
      }
    }
    readSlot(this.#registry, place, shared, nowUs)
    chargeBucket(place.quota, place, units, nowUs, place.result)
    if (writeSlot(this.#registry, place, shared)) this.shards.moves++
  }

  /** Find the bucket that `charge` noted, for a refund. */
  findCharged (pending: PendingCharge, sharedPartition: string, groupId: number): void {
    this.#find(sharedPartition, groupId)
    const { word0, word1, word2, table, slot } = this.#place
    Object.assign(pending, { word0, word1, word2, groupId, table, slot, shards: this.shards, isCrowded: false })
  }

  #find (name: string, groupId: number): boolean {
    const place = this.#place
    this.#hasher.hash(name)
    place.groupId = groupId
    place.word0 = toGroupWord(this.#hasher.word0, groupId)
    place.word1 = this.#hasher.word1
    place.word2 = this.#hasher.word2
    place.table = this.shards.findTable(place.word0)
    place.slot = place.table === null ? ABSENT : place.table.find(place, groupId)
    return place.slot !== ABSENT
  }

  /** Answers whether there was room. */
  #insert (name: string, groupId: number, shared: Limit, nowUs: number, isForced: boolean): boolean {
    const place = this.#place
    this.#find(name, groupId)
    const table = this.shards.prepareTable(place.word0, nowUs, isForced)
    if (table === null) return false
    const version = this.#registry.findOrAddVersion(shared)
    table.write(table.insert(place, version), version, place.result, place.log, place.overuse)
    return true
  }
}
