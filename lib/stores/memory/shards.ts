import type { Clock } from '../../common/clock.js'
import { hasExpired } from './bucket.js'
import type { Random } from './random.js'
import type { LimitRegistry } from './registry.js'
import { Table } from './table.js'

/**
 * Small enough that a resize of one shard takes about a millisecond. Not smaller: the objects of each shard
 * are three more possible cache misses for a check.
 */
const KEYS_PER_SHARD = 16_384
/** Slots that an insert scans for expired buckets. With 4, a burst of one-time keys is removed by a quarter as many inserts. */
const SLOTS_PER_INSERT = 4
/** Buckets that an insert into a full store checks for an expired one. */
const SAMPLES = 8
/**
 * Slots that a sweep scans, and an insert into a full shard: a millisecond, if all are sliding windows that have expired. A
 * whole shard of them would take several.
 */
const SLOTS_PER_SWEEP = 2048
/** A full shard grows if its scan removed fewer buckets than this share of the scanned slots. */
const FREED_SHARE = 0.075

/** The tables, selected by hash, and their bounds: the key limit and expiry. A bucket in use is never evicted. */
export class Shards {
  count = 0
  /** Incremented whenever slots may have moved. A slot that was found before must be found again. */
  moves = 0
  readonly #registry: LimitRegistry
  readonly #random: Random
  readonly #clock: Clock
  readonly #maxKeys: number
  readonly #tables: (Table | null)[]
  readonly #mask: number
  /** By shard: the next slot that an insert scans. */
  readonly #hands: Uint16Array
  #sweptShard = 0
  /** The next slot of that shard. */
  #sweptSlot = 0

  constructor (registry: LimitRegistry, random: Random, clock: Clock, maxKeys: number) {
    this.#registry = registry
    this.#random = random
    this.#clock = clock
    this.#maxKeys = maxKeys
    const shards = 2 ** Math.ceil(Math.log2(Math.max(1, maxKeys / KEYS_PER_SHARD)))
    this.#tables = new Array<Table | null>(shards).fill(null)
    this.#hands = new Uint16Array(shards)
    this.#mask = shards - 1
  }

  /** The table for the bucket of this hash; `null` while its shard is empty. */
  findTable (hash: number): Table | null {
    return this.#tables[hash & this.#mask]
  }

  get isFull (): boolean {
    return this.count >= this.#maxKeys
  }

  /**
   * The same table, with room for one more bucket, within the key limit; `null` if none of a few buckets has expired.
   * Slots may move. `isForced`: ignore the key limit.
   */
  prepareTable (hash: number, nowUs: number, isForced = false): Table | null {
    const shard = hash & this.#mask
    const table = this.#tables[shard] ?? (this.#tables[shard] = new Table(this.#registry))
    this.#advanceHand(shard, table, nowUs)
    if (this.isFull && !this.#dropOneExpired(nowUs) && !isForced) return null
    if (table.isFull() && !this.#makeRoom(shard, table, nowUs)) table.resize()
    this.count++
    this.moves++
    return table
  }

  remove (table: Table, slot: number): void {
    table.remove(slot)
    this.count--
    this.moves++
  }

  /** Drop the expired buckets of some slots, the next ones at each call. After a shard, free its unused room. */
  sweep (): void {
    const table = this.#tables[this.#sweptShard]
    if (table !== null) {
      this.#sweptSlot = this.#scan(table, this.#sweptSlot, SLOTS_PER_SWEEP, this.#clock.nowUs())
      this.moves++
      if (this.#sweptSlot < table.capacity) return
      if (table.isSparse()) this.#shrink(table)
      if (table.count === 0) this.#tables[this.#sweptShard] = null
    }
    this.#sweptShard = (this.#sweptShard + 1) & this.#mask
    this.#sweptSlot = 0
  }

  clear (): void {
    for (const table of this.#tables) table?.clear()
    this.#tables.fill(null)
    this.count = 0
    this.moves++
  }

  /**
   * Free unused room, without the buckets that expired after the sweep had passed them. They would all have their homes in
   * one part of the smaller table: a run of slots so long that a sweep of it would take tens of milliseconds.
   */
  #shrink (table: Table): void {
    const nowUs = this.#clock.nowUs()
    const before = table.count
    table.resize((slot) => this.#isExpired(table, slot, nowUs))
    this.count -= before - table.count
  }

  #advanceHand (shard: number, table: Table, nowUs: number): void {
    const hand = this.#hands[shard]
    this.#hands[shard] = this.#scan(table, hand < table.capacity ? hand : 0, SLOTS_PER_INSERT, nowUs)
  }

  /** Drop expired buckets of a full table. Returns whether there were enough. */
  #makeRoom (shard: number, table: Table, nowUs: number): boolean {
    const before = table.count
    const slots = Math.min(SLOTS_PER_SWEEP, table.capacity)
    this.#hands[shard] = this.#scan(table, Math.min(this.#hands[shard], table.capacity - slots), slots, nowUs)
    return before - table.count >= slots * FREED_SHARE
  }

  /** Check as many slots from this one on, up to the last one, and drop expired buckets. Returns the next slot to check. */
  #scan (table: Table, first: number, maxChecked: number, nowUs: number): number {
    let slot = first
    for (let checked = 0; checked < maxChecked && slot < table.capacity; checked++) {
      // After a removal another bucket may have moved into this slot: check it again.
      if (this.#isExpired(table, slot, nowUs)) this.remove(table, slot)
      else slot++
    }
    return slot
  }

  #isExpired (table: Table, slot: number, nowUs: number): boolean {
    const version = table.versionAt(slot)
    return version !== 0 && hasExpired(this.#registry.getLimit(version), table, slot, nowUs)
  }

  /** Remove the first expired bucket of a few random ones. Returns whether there was one. */
  #dropOneExpired (nowUs: number): boolean {
    for (let sample = 0; sample < SAMPLES; sample++) {
      const table = this.#pickTable()
      const slot = table.findOccupied(this.#random.below(table.capacity))
      if (!this.#isExpired(table, slot, nowUs)) continue
      this.remove(table, slot)
      return true
    }
    return false
  }

  /** A random table that is not empty. There must be one. */
  #pickTable (): Table {
    let shard = this.#random.below(this.#tables.length)
    while (true) {
      const table = this.#tables[shard]
      if (table !== null && table.count > 0) return table
      shard = (shard + 1) & this.#mask
    }
  }
}
