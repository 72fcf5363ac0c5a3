import type { Clock } from '../../common/clock.js'
import { carryTokenBucket } from '../../algorithms/carry-over.js'
import type { Quota } from '../../algorithms/quota.js'
import { isLastCharge } from '../../algorithms/token-bucket.js'
import { emptyVerdict } from '../../algorithms/verdict.js'
import { NO_BLOCKS, penaltyOf, type Adjustment, type Charge, type HeldBlock, type Limit, type Receipt, type Standing, type Store } from '../store.js'
import { assess, charge, refund } from './bucket.js'
import { Buckets } from './buckets.js'
import { Penalties } from './penalties.js'
import { takeAll } from './take-all.js'
import { takeUnderPenalty, underBlock } from './take-under-penalty.js'
import { standingOf, Trial } from './pending-charge.js'

const SWEEP_EVERY_MS = 1000

export interface MemoryStoreOptions {
  readonly clock: Clock
  /** Most buckets held, and apart from them most penalties, 1 or more. Default 100,000. */
  readonly maxKeys?: number
  /** Makes hashes and samples repeatable, for tests. By default they are random: nobody can choose keys that collide. */
  readonly seed?: number
}

/** A store in this process's memory. Stop its timer with `close`. */
export function createMemoryStore (options: MemoryStoreOptions): MemoryStore {
  return new MemoryStore(options)
}

/**
 * Buckets in this process's memory.
 *
 * Holds at most `maxKeys`; past that, of a few random buckets, the one with least of its capacity used makes room.
 * Every method answers in the same turn.
 */
export class MemoryStore implements Store {
  readonly kind = 'memory'
  readonly #clock: Clock
  readonly #buckets: Buckets
  readonly #penalties: Penalties
  readonly #trials: Trial[] = [new Trial()]
  readonly #sweeper: NodeJS.Timeout

  constructor ({ clock, maxKeys = 100_000, seed }: MemoryStoreOptions) {
    this.#clock = clock
    this.#buckets = new Buckets(clock, maxKeys, seed)
    this.#penalties = new Penalties(maxKeys)
    // Made here, not in a request: a timer keeps the AsyncLocalStorage of the place that made it.
    this.#sweeper = setInterval(() => { this.sweep() }, SWEEP_EVERY_MS).unref()
  }

  /** Buckets held, with those that have expired and were not met since. */
  get size (): number {
    return this.#buckets.shards.count
  }

  /** Partitions held that have strikes, levels or a block, with those that have expired and were not met since. */
  get penalties (): number {
    return this.#penalties.size
  }

  /** Limits remembered: bucket texts, and sets of numbers under each. */
  get knownLimits (): number {
    return this.#buckets.registry.size
  }

  take (charges: readonly Charge[]): Receipt {
    this.#buckets.registry.trim()
    const nowUs = this.#clock.nowUs()
    // What most requests are; the others need more of the store.
    if (charges.length === 1 && charges[0].limit.penalty === null) return this.#takeOne(charges[0], nowUs)
    return charges.some(({ limit }) => limit.penalty !== null)
      ? this.#takeUnderPenalty(charges, nowUs)
      : takeAll(this.#buckets, this.#trials, charges, nowUs)
  }

  peek (limits: readonly Limit[], partition: string): readonly Standing[] {
    const nowUs = this.#clock.nowUs()
    const trial = this.#trials[0]
    this.#buckets.enter(partition)
    return limits.map((limit) => {
      this.#buckets.find(trial, this.#buckets.registry.knownFamilyId(limit))
      this.#buckets.read(trial, limit, nowUs)
      assess(trial.quota, trial, 0, nowUs, trial.verdict)
      this.#buckets.mend(trial, limit, nowUs)
      const penalty = penaltyOf(limit)
      return underBlock(standingOf(limit, partition, 0, trial.verdict), penalty && this.#penalties.suspect(penalty, partition, nowUs), nowUs)
    })
  }

  adjust (adjustments: readonly Adjustment[]): void {
    const nowUs = this.#clock.nowUs()
    const trial = this.#trials[0]
    const { verdict } = trial
    for (const { standing, atUs, units, onlyIfLast } of adjustments) {
      const { limit, partition } = standing
      // No units are of such a limit; those of another version of it stay.
      if (limit.max === 0) continue
      this.#buckets.registry.trim()
      this.#buckets.enter(partition)
      this.#buckets.find(trial, this.#buckets.registry.familyId(limit))
      // Nothing can be given back to a bucket that has gone, or that counts otherwise by now.
      if (units <= 0 && !this.#buckets.holds(trial, limit)) continue
      this.#buckets.read(trial, limit, nowUs)
      const { quota } = trial
      const resetUs = quota === limit ? standing.resetUs : resetUnder(quota, standing, atUs, nowUs)
      if (onlyIfLast && units < 0 && quota.algorithm === 'token-bucket' && !isLastCharge(quota, trial.timeUs, trial.count, atUs + resetUs)) continue
      if (units > 0) charge(quota, trial, units, nowUs, verdict)
      else refund(quota, trial, -units, atUs, resetUs, nowUs, verdict)
      this.#buckets.write(trial, limit, nowUs)
    }
  }

  reset (limits: readonly Limit[], partition: string): number {
    const nowUs = this.#clock.nowUs()
    const trial = this.#trials[0]
    this.#buckets.enter(partition)
    let forgotten = 0
    for (const limit of limits) {
      this.#buckets.find(trial, this.#buckets.registry.knownFamilyId(limit))
      if (this.#buckets.forget(trial, nowUs)) forgotten++
      const penalty = penaltyOf(limit)
      if (penalty !== null && this.#penalties.forget(penalty, partition, nowUs)) forgotten++
    }
    return forgotten
  }

  /** Every block, in no order. */
  blocks (): Iterable<HeldBlock> {
    return this.#penalties.blocks(this.#clock.nowUs())
  }

  /** Drop some of what has expired: the buckets of one shard, the next at each call. The store's own timer calls it once a second. */
  sweep (): void {
    this.#buckets.shards.sweep()
    this.#penalties.sweep(this.#clock.nowUs())
  }

  /** Memory is always there. */
  ping (): void {}

  /** Stop the timer and forget every bucket. */
  close (): void {
    clearInterval(this.#sweeper)
    this.#buckets.shards.clear()
    this.#penalties.clear()
  }

  #takeUnderPenalty (charges: readonly Charge[], nowUs: number): Receipt {
    return takeUnderPenalty(this.#penalties, charges, nowUs, (isBlocked) => takeAll(this.#buckets, this.#trials, charges, nowUs, isBlocked))
  }

  #takeOne (one: Charge, nowUs: number): Receipt {
    const { limit, partition, cost } = one
    const trial = this.#trials[0]
    const { verdict } = trial
    this.#buckets.enter(partition)
    this.#buckets.find(trial, this.#buckets.registry.familyId(limit))
    this.#buckets.read(trial, limit, nowUs)
    assess(trial.quota, trial, cost, nowUs, verdict)
    if (verdict.granted && cost > 0) this.#buckets.commit(trial, limit, cost, nowUs)
    else this.#buckets.mend(trial, limit, nowUs)
    return {
      granted: verdict.granted || limit.mode === 'shadow',
      atUs: nowUs,
      standings: [standingOf(limit, partition, verdict.granted ? cost : 0, verdict)],
      blocks: NO_BLOCKS
    }
  }
}

const scratch = emptyVerdict()

/** The reset of a charge under numbers by which its units drain at another pace. */
function resetUnder (quota: Quota, { limit, resetUs }: Standing, atUs: number, nowUs: number): number {
  if (quota.algorithm !== 'token-bucket' || limit.algorithm !== 'token-bucket') return resetUs
  carryTokenBucket(limit, quota, atUs + resetUs, 0, nowUs, scratch)
  return scratch.timeUs + (scratch.count > 0 ? 1 : 0) - atUs
}
