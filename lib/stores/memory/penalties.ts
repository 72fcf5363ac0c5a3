import { blockedUs, conductLifeUs, emptyConduct, settleConduct, strike, type Conduct } from '../../algorithms/penalty.js'
import type { HeldBlock, Penalty } from '../store.js'

/** Conducts that an insert looks at for expired ones, and that an overflow chooses among. */
const LOOKS = 8
/** Conducts that a sweep looks at: a fraction of a millisecond. */
const SWEPT = 1000

/** How a partition stands under a penalty, brought to now. */
export interface Suspect {
  readonly key: string
  readonly penalty: Penalty
  readonly partition: string
  readonly conduct: Conduct
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
  readonly #atLarge = new Map<string, Suspect>()
  readonly #blocked = new Map<string, Suspect>()

  constructor (maxKeys: number) {
    this.#maxKeys = maxKeys
  }

  /** Conducts held, with those that have expired and were not met since. */
  get size (): number {
    return this.#atLarge.size + this.#blocked.size
  }

  /** The conduct of a partition, an empty one where none is held. What changes it is to be kept with `keep`. */
  suspect (penalty: Penalty, partition: string, nowUs: number): Suspect {
    const key = keyOf(penalty, partition)
    const held = this.#atLarge.get(key) ?? this.#blocked.get(key)
    // A copy: settled under one rule and not kept, it must not count as settled under the next.
    const suspect = { key, penalty, partition, conduct: held === undefined ? emptyConduct() : { ...held.conduct }, began: false }
    if (settleConduct(penalty, suspect.conduct, nowUs)) this.keep(suspect, nowUs)
    return suspect
  }

  /** Count strikes of a suspect who is not blocked. */
  strike (suspect: Suspect, strikes: number, nowUs: number): void {
    suspect.began = strike(suspect.penalty, suspect.conduct, strikes, nowUs)
    this.keep(suspect, nowUs)
  }

  keep (suspect: Suspect, nowUs: number): void {
    if (!this.#drop(suspect.key)) this.#makeRoom(nowUs)
    this.#place(suspect, nowUs)
  }

  /** Lift a block, and forget strikes and levels. Answers whether there were any. */
  forget (penalty: Penalty, partition: string, nowUs: number): boolean {
    const { key, conduct } = this.suspect(penalty, partition, nowUs)
    this.#drop(key)
    return conductLifeUs(penalty, conduct, nowUs) > 0
  }

  /** Every block, in no order. */
  * blocks (nowUs: number): Generator<HeldBlock> {
    for (const { penalty, partition, conduct } of this.#blocked.values()) {
      const leftUs = blockedUs(conduct, nowUs)
      if (leftUs > 0) yield { partition, penalty: penalty.bucket, leftUs }
    }
  }

  /** Drop some of what has expired. */
  sweep (nowUs: number): void {
    for (const suspects of [this.#atLarge, this.#blocked]) this.#look(suspects, SWEPT, nowUs)
  }

  clear (): void {
    this.#atLarge.clear()
    this.#blocked.clear()
  }

  #makeRoom (nowUs: number): void {
    const free = this.#look(this.#atLarge, LOOKS, nowUs)
    const blocked = this.#look(this.#blocked, LOOKS, nowUs)
    const least = free ?? blocked
    if (this.size >= this.#maxKeys && least !== null) this.#drop(least.key)
  }

  /** Look at those that were looked at longest ago: drop what has expired, answer of the others who loses least. */
  #look (suspects: Map<string, Suspect>, most: number, nowUs: number): Suspect | null {
    let least: Suspect | null = null
    let leastLoss = Infinity
    let looks = Math.min(most, suspects.size)
    for (const suspect of suspects.values()) {
      if (looks-- === 0) break
      suspects.delete(suspect.key)
      const loss = lossOf(suspect, nowUs)
      if (loss === 0) continue
      this.#place(suspect, nowUs)
      if (loss >= leastLoss) continue
      least = suspect
      leastLoss = loss
    }
    return least
  }

  #place (suspect: Suspect, nowUs: number): void {
    const suspects = blockedUs(suspect.conduct, nowUs) > 0 ? this.#blocked : this.#atLarge
    suspects.set(suspect.key, suspect)
  }

  #drop (key: string): boolean {
    return this.#atLarge.delete(key) || this.#blocked.delete(key)
  }
}

/** What the store would lose with a suspect: nothing, strikes and levels, or the time that is left of a block. */
function lossOf ({ penalty, conduct }: Suspect, nowUs: number): number {
  const settled = { ...conduct }
  settleConduct(penalty, settled, nowUs)
  if (conductLifeUs(penalty, settled, nowUs) === 0) return 0
  return Math.max(blockedUs(settled, nowUs), settled.level + settled.strikes / penalty.strikes)
}

/** Unambiguous whatever the texts hold: a bucket's length tells where it ends. */
function keyOf ({ bucket }: Penalty, partition: string): string {
  return `${bucket.length}:${bucket}${partition}`
}
