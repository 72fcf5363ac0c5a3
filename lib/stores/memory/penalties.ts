import { blockedUs, penaltyTtlUs, createPenaltyState, advancePenalty, strike, type PenaltyState } from '../../algorithms/penalty.js'
import type { ActiveBlock, Penalty } from '../store.js'

/** Entries that an insert scans for expired ones, and from which an overflow selects one to evict. */
const SCAN_SIZE = 8
/** Entries that a sweep scans: a fraction of a millisecond. */
const SWEEP_SIZE = 1000

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
 * The penalty states of the few partitions with strikes, levels or a block, at most `maxKeys` of them. When it is full,
 * it scans the few entries that were scanned longest ago, and evicts the one with the smallest loss. A blocked
 * entry is evicted only if there are no others.
 */
export class Penalties {
  readonly #maxKeys: number
  /** Entries without a block, then entries that had one at their last scan. */
  readonly #unblocked = new Map<string, PenaltyEntry>()
  readonly #blocked = new Map<string, PenaltyEntry>()

  constructor (maxKeys: number) {
    this.#maxKeys = maxKeys
  }

  /** Number of entries, including expired ones that were not removed yet. */
  get size (): number {
    return this.#unblocked.size + this.#blocked.size
  }

  /** The entry of a partition, or a new one. A caller that changes it must call `save`. */
  loadEntry (penalty: Penalty, partition: string, nowUs: number): PenaltyEntry {
    const key = buildKey(penalty, partition)
    const held = this.#unblocked.get(key) ?? this.#blocked.get(key)
    // A copy: a state that is advanced under one rule and not saved must not be used as advanced under the next rule.
    const entry = { key, penalty, partition, state: held === undefined ? createPenaltyState() : { ...held.state }, began: false }
    if (advancePenalty(penalty, entry.state, nowUs)) this.save(entry, nowUs)
    return entry
  }

  /** Add strikes to an entry that is not blocked. */
  addStrikes (entry: PenaltyEntry, strikes: number, nowUs: number): void {
    entry.began = strike(entry.penalty, entry.state, strikes, nowUs)
    this.save(entry, nowUs)
  }

  save (entry: PenaltyEntry, nowUs: number): void {
    if (!this.#drop(entry.key)) this.#makeRoom(nowUs)
    this.#insert(entry, nowUs)
  }

  /** Remove block, strikes and levels. Returns whether there were any. */
  reset (penalty: Penalty, partition: string, nowUs: number): boolean {
    const { key, state } = this.loadEntry(penalty, partition, nowUs)
    this.#drop(key)
    return penaltyTtlUs(penalty, state, nowUs) > 0
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
    for (const entries of [this.#unblocked, this.#blocked]) this.#scan(entries, SWEEP_SIZE, nowUs)
  }

  clear (): void {
    this.#unblocked.clear()
    this.#blocked.clear()
  }

  #makeRoom (nowUs: number): void {
    const free = this.#scan(this.#unblocked, SCAN_SIZE, nowUs)
    const blocked = this.#scan(this.#blocked, SCAN_SIZE, nowUs)
    const least = free ?? blocked
    if (this.size >= this.#maxKeys && least !== null) this.#drop(least.key)
  }

  /** Scan the entries that were scanned longest ago: drop expired ones, return the other one with the smallest loss. */
  #scan (entries: Map<string, PenaltyEntry>, maxScanned: number, nowUs: number): PenaltyEntry | null {
    let least: PenaltyEntry | null = null
    let leastLoss = Infinity
    let unscanned = Math.min(maxScanned, entries.size)
    for (const entry of entries.values()) {
      if (unscanned-- === 0) break
      entries.delete(entry.key)
      const loss = computeLoss(entry, nowUs)
      if (loss === 0) continue
      this.#insert(entry, nowUs)
      if (loss >= leastLoss) continue
      least = entry
      leastLoss = loss
    }
    return least
  }

  #insert (entry: PenaltyEntry, nowUs: number): void {
    const entries = blockedUs(entry.state, nowUs) > 0 ? this.#blocked : this.#unblocked
    entries.set(entry.key, entry)
  }

  #drop (key: string): boolean {
    return this.#unblocked.delete(key) || this.#blocked.delete(key)
  }
}

/** The loss if an entry is evicted: nothing, strikes and levels, or the remaining time of a block. */
function computeLoss ({ penalty, state }: PenaltyEntry, nowUs: number): number {
  const current = { ...state }
  advancePenalty(penalty, current, nowUs)
  if (penaltyTtlUs(penalty, current, nowUs) === 0) return 0
  return Math.max(blockedUs(current, nowUs), current.level + current.strikes / penalty.strikes)
}

/** Unambiguous for all texts: the length shows where the bucket text ends. */
function buildKey ({ bucket }: Penalty, partition: string): string {
  return `${bucket.length}:${bucket}${partition}`
}
