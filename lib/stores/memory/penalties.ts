import { blockedUs, penaltyTtlUs, createPenaltyState, advancePenalty, strike, type PenaltyState } from '../../algorithms/penalty.js'
import type { ActiveBlock, Penalty } from '../store.js'

/** Conducts that an insert looks at for expired ones, and that an overflow chooses among. */
const SCAN_SIZE = 8
/** Conducts that a sweep looks at: a fraction of a millisecond. */
const SWEEP_SIZE = 1000

/** How a partition stands under a penalty, brought to now. */
export interface PenaltyEntry {
  readonly key: string
  readonly penalty: Penalty
  readonly partition: string
  readonly state: PenaltyState
  /** Whether a block began with this request. */
  began: boolean
}

/**
 * The conducts of the few partitions that have strikes, levels or a block, at most `maxKeys` of them. Overflow drops
 * whoever loses least, of a few that were looked at longest ago, and no blocked one while there are others.
 */
export class Penalties {
  readonly #maxKeys: number
  /** Those without a block, then those that had one when they were last looked at. */
  readonly #unblocked = new Map<string, PenaltyEntry>()
  readonly #blocked = new Map<string, PenaltyEntry>()

  constructor (maxKeys: number) {
    this.#maxKeys = maxKeys
  }

  /** Conducts held, with those that have expired and were not met since. */
  get size (): number {
    return this.#unblocked.size + this.#blocked.size
  }

  /** The conduct of a partition, an empty one where none is held. What changes it is to be kept with `keep`. */
  loadEntry (penalty: Penalty, partition: string, nowUs: number): PenaltyEntry {
    const key = buildKey(penalty, partition)
    const held = this.#unblocked.get(key) ?? this.#blocked.get(key)
    // A copy: settled under one rule and not kept, it must not count as settled under the next.
    const entry = { key, penalty, partition, state: held === undefined ? createPenaltyState() : { ...held.state }, began: false }
    if (advancePenalty(penalty, entry.state, nowUs)) this.save(entry, nowUs)
    return entry
  }

  /** Count strikes of a suspect who is not blocked. */
  addStrikes (entry: PenaltyEntry, strikes: number, nowUs: number): void {
    entry.began = strike(entry.penalty, entry.state, strikes, nowUs)
    this.save(entry, nowUs)
  }

  save (entry: PenaltyEntry, nowUs: number): void {
    if (!this.#drop(entry.key)) this.#makeRoom(nowUs)
    this.#insert(entry, nowUs)
  }

  /** Lift a block, and forget strikes and levels. Answers whether there were any. */
  reset (penalty: Penalty, partition: string, nowUs: number): boolean {
    const { key, state } = this.loadEntry(penalty, partition, nowUs)
    this.#drop(key)
    return penaltyTtlUs(penalty, state, nowUs) > 0
  }

  /** Every block, in no order. */
  * blocks (nowUs: number): Generator<ActiveBlock> {
    for (const { penalty, partition, state } of this.#blocked.values()) {
      const leftUs = blockedUs(state, nowUs)
      if (leftUs > 0) yield { partition, penalty: penalty.bucket, leftUs }
    }
  }

  /** Drop some of what has expired. */
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

  /** Look at those that were looked at longest ago: drop what has expired, answer of the others who loses least. */
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

/** What the store would lose with a suspect: nothing, strikes and levels, or the time that is left of a block. */
function computeLoss ({ penalty, state }: PenaltyEntry, nowUs: number): number {
  const current = { ...state }
  advancePenalty(penalty, current, nowUs)
  if (penaltyTtlUs(penalty, current, nowUs) === 0) return 0
  return Math.max(blockedUs(current, nowUs), current.level + current.strikes / penalty.strikes)
}

/** Unambiguous whatever the texts hold: a bucket's length tells where it ends. */
function buildKey ({ bucket }: Penalty, partition: string): string {
  return `${bucket.length}:${bucket}${partition}`
}
