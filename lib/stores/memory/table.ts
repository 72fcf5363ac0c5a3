import type { BucketState } from '../../algorithms/bucket-state.js'
import type { Overuse } from '../../algorithms/carry-over.js'
import type { GrantLog } from '../../algorithms/sliding-window.js'
import type { Hash } from './hash.js'
import type { LimitRegistry } from './registry.js'

/** The slot number of a key that is not in the table. */
export const ABSENT = -1

const MIN_CAPACITY = 8
/** Beyond this load the runs of slots get long: an absent key then costs 8 probes or more. */
const MAX_LOAD = 0.75
/** Slots per key after a resize. Small steps: doubling would leave tables half empty and cost 30 bytes per key. */
const SLOTS_PER_KEY = 1.6

/*
 * A slot is 32 bytes of one buffer, so that a check reads one cache line. Three words of the hash and the version are
 * 32-bit integers. The time and count of the bucket follow as doubles.
 *
 * The partition text is not stored: the hash has 96 bits and a secret key. With 16 million partitions, a new one has the
 * same hash as one of them with a chance of 2^-72. The text would cost two more cache misses per check, 40 bytes per
 * key, and work for the garbage collector.
 */
const SLOT_BYTES = 32
const WORDS = 8
const VERSION = 3
const NUMBERS = 4
const TIME = 2
const COUNT = 3

/**
 * One shard: an open-addressing table of buckets, linear probing, deletion by backward shift.
 *
 * Slots move when others are removed or the table grows: a slot number holds until the next `insert` or `remove`.
 */
export class Table {
  count = 0
  capacity = MIN_CAPACITY
  readonly #registry: LimitRegistry
  #words: Int32Array
  #numbers: Float64Array
  /** `null` until a sliding window has a bucket here. */
  #logs: (GrantLog | null)[] | null = null
  /** `null` until a change leaves more used units than a capacity. */
  #overuses: (Overuse | null)[] | null = null

  constructor (registry: LimitRegistry) {
    this.#registry = registry
    const bytes = new ArrayBuffer(MIN_CAPACITY * SLOT_BYTES)
    this.#words = new Int32Array(bytes)
    this.#numbers = new Float64Array(bytes)
  }

  isFull (): boolean {
    return this.count >= this.capacity * MAX_LOAD
  }

  isSparse (): boolean {
    return this.capacity > MIN_CAPACITY && this.count * 4 < this.capacity
  }

  find (hash: Hash, groupId: number): number {
    const words = this.#words
    const { word0, word1, word2 } = hash
    let slot = findHomeSlot(word0, this.capacity)
    while (true) {
      const at = slot * WORDS
      const version = words[at + VERSION]
      if (version === 0) return ABSENT
      const isSameHash = words[at] === word0 && words[at + 1] === word1 && words[at + 2] === word2
      if (isSameHash && this.#registry.getGroupId(version) === groupId) return slot
      if (++slot === this.capacity) slot = 0
    }
  }

  /** Take a slot for a bucket that is not in the table. There must be room: see `isFull`. */
  insert (hash: Hash, version: number): number {
    const slot = this.#firstEmpty(hash.word0)
    const at = slot * WORDS
    this.#words[at] = hash.word0
    this.#words[at + 1] = hash.word1
    this.#words[at + 2] = hash.word2
    this.#words[at + VERSION] = version
    this.#registry.retain(version)
    this.count++
    return slot
  }

  remove (slot: number): void {
    this.#registry.release(this.versionAt(slot))
    this.count--
    let hole = slot
    let next = slot
    while (true) {
      if (++next === this.capacity) next = 0
      if (this.versionAt(next) === 0) break
      // A search starts at the home slot. It would not find a key whose home is after the hole.
      const home = findHomeSlot(this.#words[next * WORDS], this.capacity)
      const isReachable = hole <= next ? home > hole && home <= next : home > hole || home <= next
      if (isReachable) continue
      this.#move(next, hole)
      hole = next
    }
    this.#words[hole * WORDS + VERSION] = 0
    if (this.#logs !== null) this.#logs[hole] = null
    if (this.#overuses !== null) this.#overuses[hole] = null
  }

  /** The first taken slot at or after this one; after the last slot it continues at the first. The table must not be empty. */
  findOccupied (slot: number): number {
    while (this.versionAt(slot) === 0) {
      if (++slot === this.capacity) slot = 0
    }
    return slot
  }

  /** 0 for an empty slot. */
  versionAt (slot: number): number {
    return this.#words[slot * WORDS + VERSION]
  }

  timeAt (slot: number): number {
    return this.#numbers[slot * NUMBERS + TIME]
  }

  countAt (slot: number): number {
    return this.#numbers[slot * NUMBERS + COUNT]
  }

  logAt (slot: number): GrantLog | null {
    return this.#logs === null ? null : this.#logs[slot]
  }

  overuseAt (slot: number): Overuse | null {
    return this.#overuses === null ? null : this.#overuses[slot]
  }

  write (slot: number, version: number, { timeUs, count }: BucketState, log: GrantLog | null, overuse: Overuse | null): void {
    const before = this.versionAt(slot)
    if (before !== version) {
      this.#registry.release(before)
      this.#registry.retain(version)
      this.#words[slot * WORDS + VERSION] = version
    }
    this.#numbers[slot * NUMBERS + TIME] = timeUs
    this.#numbers[slot * NUMBERS + COUNT] = count
    if (log !== null) this.#logs ??= new Array<GrantLog | null>(this.capacity).fill(null)
    if (this.#logs !== null) this.#logs[slot] = log
    if (overuse !== null) this.#overuses ??= new Array<Overuse | null>(this.capacity).fill(null)
    if (this.#overuses !== null) this.#overuses[slot] = overuse
  }

  /** Release the version of every bucket. The table must not be used afterwards. */
  clear (): void {
    for (let slot = 0; slot < this.capacity; slot++) {
      const version = this.versionAt(slot)
      if (version !== 0) this.#registry.release(version)
    }
  }

  /** Make room for some more buckets than there are now, or free unused room. `isExpired`: whether to drop the bucket of a slot. */
  resize (isExpired: (slot: number) => boolean = () => false): void {
    const kept = this.#dropExpired(isExpired)
    const words = this.#words
    const logs = this.#logs
    const overuses = this.#overuses
    this.capacity = Math.max(MIN_CAPACITY, Math.ceil(this.count * SLOTS_PER_KEY))
    const bytes = new ArrayBuffer(this.capacity * SLOT_BYTES)
    this.#words = new Int32Array(bytes)
    this.#numbers = new Float64Array(bytes)
    this.#logs = logs === null ? null : new Array<GrantLog | null>(this.capacity).fill(null)
    this.#overuses = overuses === null ? null : new Array<Overuse | null>(this.capacity).fill(null)
    for (const slot of kept) {
      const target = this.#firstEmpty(words[slot * WORDS])
      copySlot(words, slot, this.#words, target)
      if (this.#logs !== null && logs !== null) this.#logs[target] = logs[slot]
      if (this.#overuses !== null && overuses !== null) this.#overuses[target] = overuses[slot]
    }
  }

  /** Count expired buckets out, and list the slots of the others. Their slots are not emptied. */
  #dropExpired (isExpired: (slot: number) => boolean): number[] {
    const kept: number[] = []
    for (let slot = 0; slot < this.capacity; slot++) {
      const version = this.#words[slot * WORDS + VERSION]
      if (version === 0) continue
      if (isExpired(slot)) {
        this.#registry.release(version)
        this.count--
      } else {
        kept.push(slot)
      }
    }
    return kept
  }

  #firstEmpty (hash: number): number {
    let slot = findHomeSlot(hash, this.capacity)
    while (this.versionAt(slot) !== 0) {
      if (++slot === this.capacity) slot = 0
    }
    return slot
  }

  #move (from: number, to: number): void {
    copySlot(this.#words, from, this.#words, to)
    if (this.#logs !== null) this.#logs[to] = this.#logs[from]
    if (this.#overuses !== null) this.#overuses[to] = this.#overuses[from]
  }
}

/** Scale the upper 24 bits of the hash to the table, which may then have any size. The lower bits select the shard. */
function findHomeSlot (hash: number, capacity: number): number {
  return Math.floor((hash >>> 8) * capacity / 0x1000000)
}

/** Copy integers: as doubles, hashes could be NaNs, and a copy may change their bits. */
function copySlot (words: Int32Array, from: number, target: Int32Array, to: number): void {
  for (let i = 0; i < WORDS; i++) target[to * WORDS + i] = words[from * WORDS + i]
}
