import { blockedUs, penaltyTtlUs, createPenaltyState, advancePenalty, strike, type PenaltyState } from '../../algorithms/penalty.js'
import type { ActiveBlock, Penalty } from '../store.js'
import type { OverflowGroups } from './overflow-groups.js'

/** Entries that an insert scans for expired ones. */
const SCAN_SIZE = 8
/** Entries that a sweep scans: a fraction of a millisecond. */
const SWEEP_SIZE = 100

/** Minimum number of entries of groups. They come on top of `maxKeys`; with more keys it is an eighth of that. */
const MIN_SHARED = 1024

/** The state of a partition under a penalty, advanced to now. */
export interface PenaltyEntry {
  readonly key: string
  readonly penalty: Penalty
  readonly partition: string
  readonly state: PenaltyState
  /** Whether this request started a block. */
  began: boolean
}

/**
 * The penalty states of the few partitions with strikes, levels or a block, at most `maxKeys` of them. No state is
 * evicted before it expires. If a partition finds no room, its strikes count for its group: see `SharedBuckets`.
 */
export class Penalties {
  readonly #maxKeys: number
  readonly #groups: OverflowGroups
  readonly #onOverflow: () => void
  /** By group. */
  readonly #shared = new Map<string, PenaltyEntry>()
  /** Entries without a block, then entries that had one at their last scan. */
  readonly #unblocked = new Map<string, PenaltyEntry>()
  readonly #blocked = new Map<string, PenaltyEntry>()

  constructor (maxKeys: number, groups: OverflowGroups, onOverflow: () => void) {
    this.#maxKeys = maxKeys
    this.#groups = groups
    this.#onOverflow = onOverflow
  }

  /** Number of entries, including expired ones that were not removed yet. */
  get size (): number {
    return this.#unblocked.size + this.#blocked.size
  }

  /** The entry of a partition, or a new one. A caller that changes it must call `save`. */
  loadEntry (penalty: Penalty, partition: string, nowUs: number): PenaltyEntry {
    const key = buildKey(penalty, partition)
    const own = this.#unblocked.get(key) ?? this.#blocked.get(key)
    const held = own ?? this.#findShared(penalty, partition)
    // A copy: a state that is advanced under one rule and not saved must not be used as advanced under the next rule.
    const entry = { key, penalty, partition, state: held === undefined ? createPenaltyState() : { ...held.state }, began: false }
    if (advancePenalty(penalty, entry.state, nowUs)) {
      if (own === undefined && held !== undefined) this.#shared.set(held.key, { ...held, state: { ...entry.state } })
      else this.save(entry, nowUs)
    }
    return entry
  }

  /** Add strikes to an entry that is not blocked. */
  addStrikes (entry: PenaltyEntry, strikes: number, nowUs: number): void {
    entry.began = strike(entry.penalty, entry.state, strikes, nowUs)
    this.save(entry, nowUs)
  }

  save (entry: PenaltyEntry, nowUs: number): void {
    if (this.#drop(entry.key) || this.#makeRoom(nowUs)) this.#insert(entry, nowUs)
    else this.#saveShared(entry, nowUs)
  }

  /** Remove block, strikes and levels. Returns whether there were any. */
  reset (penalty: Penalty, partition: string, nowUs: number): boolean {
    const { key, state } = this.loadEntry(penalty, partition, nowUs)
    // The state of its group stays: it is also that of others.
    return this.#drop(key) && penaltyTtlUs(penalty, state, nowUs) > 0
  }

  /** Every block, unordered. */
  * blocks (nowUs: number): Generator<ActiveBlock> {
    for (const { penalty, partition, state } of this.#blocked.values()) {
      const leftUs = blockedUs(state, nowUs)
      if (leftUs > 0) yield { partition, penalty: penalty.bucket, leftUs }
    }
  }

  /** Remove some expired entries. */
  sweep (nowUs: number): void {
    for (const entries of [this.#unblocked, this.#blocked, this.#shared]) this.#scan(entries, SWEEP_SIZE, nowUs)
  }

  clear (): void {
    this.#unblocked.clear()
    this.#blocked.clear()
    this.#shared.clear()
  }

  /** Returns whether there is room for one more entry. */
  #makeRoom (nowUs: number): boolean {
    this.#scan(this.#unblocked, SCAN_SIZE, nowUs)
    this.#scan(this.#blocked, SCAN_SIZE, nowUs)
    return this.size < this.#maxKeys
  }

  #findShared (penalty: Penalty, partition: string): PenaltyEntry | undefined {
    if (this.#shared.size === 0) return undefined
    const { name, widest } = this.#groups.find(partition)
    return this.#shared.get(buildKey(penalty, name)) ?? this.#shared.get(buildKey(penalty, widest))
  }

  /** Save an entry for the group. It was loaded from the group's state. */
  #saveShared (entry: PenaltyEntry, nowUs: number): void {
    const { name, widest } = this.#groups.find(entry.partition)
    const key = buildKey(entry.penalty, name)
    this.#scan(this.#shared, SCAN_SIZE, nowUs)
    const hasRoom = this.#shared.has(key) || this.#shared.size < Math.max(MIN_SHARED, this.#maxKeys >>> 3)
    const sharedKey = hasRoom ? key : buildKey(entry.penalty, widest)
    this.#shared.set(sharedKey, { ...entry, key: sharedKey, state: { ...entry.state } })
    this.#onOverflow()
  }

  /** Scan the entries that were scanned longest ago, and drop expired ones. */
  #scan (entries: Map<string, PenaltyEntry>, maxScanned: number, nowUs: number): void {
    let unscanned = Math.min(maxScanned, entries.size)
    for (const entry of entries.values()) {
      if (unscanned-- === 0) break
      entries.delete(entry.key)
      if (hasExpired(entry, nowUs)) continue
      if (entries === this.#shared) entries.set(entry.key, entry)
      else this.#insert(entry, nowUs)
    }
  }

  #insert (entry: PenaltyEntry, nowUs: number): void {
    const entries = blockedUs(entry.state, nowUs) > 0 ? this.#blocked : this.#unblocked
    entries.set(entry.key, entry)
  }

  #drop (key: string): boolean {
    return this.#unblocked.delete(key) || this.#blocked.delete(key)
  }
}

function hasExpired ({ penalty, state }: PenaltyEntry, nowUs: number): boolean {
  const current = { ...state }
  advancePenalty(penalty, current, nowUs)
  return penaltyTtlUs(penalty, current, nowUs) === 0
}

/** Unambiguous for all texts: the length shows where the bucket text ends. */
function buildKey ({ bucket }: Penalty, partition: string): string {
  return `${bucket.length}:${bucket}${partition}`
}
