import type { GrantLog } from '../../algorithms/sliding-window.js'
import { flatText } from './flat-text.js'
import type { LimitRegistry } from './registry.js'

/** No such slot. */
export const ABSENT = -1

const SMALLEST = 8
/** Runs of slots get long beyond this load: an absent key then costs 8 probes and more. */
const FULLEST_LOAD = 0.75
/** Slots per key after a resize. Small steps: doubling would leave tables half empty, 60 bytes a key. */
const ROOM = 1.6

/*
 * A slot is 24 bytes of one buffer, so that a check meets one cache line: hash and version as two 32-bit integers,
 * then time and count of the bucket as two doubles.
 */
const SLOT_BYTES = 24
const WORDS = 6
const NUMBERS = 3
const VERSION = 1
const TIME = 1
const COUNT = 2

/**
 * One shard: an open-addressing table of buckets, linear probing, deletion by backward shift.
 *
 * Slots move when others are removed or the table grows: a slot number holds until the next `insert` or `remove`.
 */
export class Table {
  count = 0
  capacity = SMALLEST
  readonly #registry: LimitRegistry
  #words: Int32Array
  #numbers: Float64Array
  #partitions: string[]
  /** Only once a sliding window has a bucket here. */
  #logs: (GrantLog | null)[] | null = null

  constructor (registry: LimitRegistry) {
    this.#registry = registry
    const bytes = new ArrayBuffer(SMALLEST * SLOT_BYTES)
    this.#words = new Int32Array(bytes)
    this.#numbers = new Float64Array(bytes)
    this.#partitions = new Array<string>(SMALLEST).fill('')
  }

  isFull (): boolean {
    return this.count >= this.capacity * FULLEST_LOAD
  }

  isSparse (): boolean {
    return this.capacity > SMALLEST && this.count * 4 < this.capacity
  }

  find (hash: number, familyId: number, partition: string): number {
    const words = this.#words
    let slot = homeOf(hash, this.capacity)
    while (true) {
      const version = words[slot * WORDS + VERSION]
      if (version === 0) return ABSENT
      if (words[slot * WORDS] === hash && this.#registry.familyIdOfVersion(version) === familyId && this.#partitions[slot] === partition) return slot
      if (++slot === this.capacity) slot = 0
    }
  }

  /** Take a slot for a bucket that is not there. There must be room: see `isFull`. */
  insert (hash: number, version: number, partition: string): number {
    const slot = this.#firstEmpty(hash)
    this.#words[slot * WORDS] = hash
    this.#words[slot * WORDS + VERSION] = version
    this.#partitions[slot] = flatText(partition)
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
      // What stands at home, or between the hole and its home, would be lost in the hole.
      const home = homeOf(this.#words[next * WORDS], this.capacity)
      const isReachable = hole <= next ? home > hole && home <= next : home > hole || home <= next
      if (isReachable) continue
      this.#move(next, hole)
      hole = next
    }
    this.#words[hole * WORDS + VERSION] = 0
    this.#partitions[hole] = ''
    if (this.#logs !== null) this.#logs[hole] = null
  }

  /** The first taken slot at or after this one, around the end. Only while there is one. */
  occupiedFrom (slot: number): number {
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

  write (slot: number, version: number, timeUs: number, count: number, log: GrantLog | null): void {
    const before = this.versionAt(slot)
    if (before !== version) {
      this.#registry.release(before)
      this.#registry.retain(version)
      this.#words[slot * WORDS + VERSION] = version
    }
    this.#numbers[slot * NUMBERS + TIME] = timeUs
    this.#numbers[slot * NUMBERS + COUNT] = count
    if (log !== null && this.#logs === null) this.#logs = new Array<GrantLog | null>(this.capacity).fill(null)
    if (this.#logs !== null) this.#logs[slot] = log
  }

  /** Let go of every bucket's version. The table is not used any more. */
  clear (): void {
    for (let slot = 0; slot < this.capacity; slot++) {
      const version = this.versionAt(slot)
      if (version !== 0) this.#registry.release(version)
    }
  }

  /** Make room for some more than are there now, or give room back. */
  resize (): void {
    const words = this.#words
    const numbers = this.#numbers
    const partitions = this.#partitions
    const logs = this.#logs
    const slots = this.capacity
    this.capacity = Math.max(SMALLEST, Math.ceil(this.count * ROOM))
    const bytes = new ArrayBuffer(this.capacity * SLOT_BYTES)
    this.#words = new Int32Array(bytes)
    this.#numbers = new Float64Array(bytes)
    this.#partitions = new Array<string>(this.capacity).fill('')
    this.#logs = logs === null ? null : new Array<GrantLog | null>(this.capacity).fill(null)
    for (let slot = 0; slot < slots; slot++) {
      const version = words[slot * WORDS + VERSION]
      if (version === 0) continue
      const target = this.#firstEmpty(words[slot * WORDS])
      this.#words[target * WORDS] = words[slot * WORDS]
      this.#words[target * WORDS + VERSION] = version
      this.#numbers[target * NUMBERS + TIME] = numbers[slot * NUMBERS + TIME]
      this.#numbers[target * NUMBERS + COUNT] = numbers[slot * NUMBERS + COUNT]
      this.#partitions[target] = partitions[slot]
      if (this.#logs !== null && logs !== null) this.#logs[target] = logs[slot]
    }
  }

  #firstEmpty (hash: number): number {
    let slot = homeOf(hash, this.capacity)
    while (this.versionAt(slot) !== 0) {
      if (++slot === this.capacity) slot = 0
    }
    return slot
  }

  #move (from: number, to: number): void {
    this.#words[to * WORDS] = this.#words[from * WORDS]
    this.#words[to * WORDS + VERSION] = this.#words[from * WORDS + VERSION]
    this.#numbers[to * NUMBERS + TIME] = this.#numbers[from * NUMBERS + TIME]
    this.#numbers[to * NUMBERS + COUNT] = this.#numbers[from * NUMBERS + COUNT]
    this.#partitions[to] = this.#partitions[from]
    if (this.#logs !== null) this.#logs[to] = this.#logs[from]
  }
}

/** The hash's upper half scaled to the table, which may then have any size. The lower half has chosen the shard. */
function homeOf (hash: number, capacity: number): number {
  return ((hash >>> 16) * capacity) >>> 16
}
