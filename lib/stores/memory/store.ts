import type { Clock } from '../../common/clock.js'
import { carryTokenBucket } from '../../algorithms/carry-over.js'
import type { Quota } from '../../algorithms/quota.js'
import { isLastCharge } from '../../algorithms/token-bucket.js'
import { createCheckResult } from '../../algorithms/check-result.js'
import { NO_BLOCKS, findPenalty, type Adjustment, type Charge, type ActiveBlock, type Limit, type Receipt, type Standing, type Store } from '../store.js'
import { assess, charge, refund } from './bucket.js'
import { Buckets } from './buckets.js'
import { Penalties } from './penalties.js'
import { takeAll } from './take-all.js'
import { takeUnderPenalty, applyBlock } from './take-under-penalty.js'
import { createStanding, PendingCharge } from './pending-charge.js'

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
  readonly #pendingCharges: PendingCharge[] = [new PendingCharge()]
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
      : takeAll(this.#buckets, this.#pendingCharges, charges, nowUs)
  }

  peek (limits: readonly Limit[], partition: string): readonly Standing[] {
    const nowUs = this.#clock.nowUs()
    const pending = this.#pendingCharges[0]
    this.#buckets.selectPartition(partition)
    return limits.map((limit) => {
      this.#buckets.find(pending, this.#buckets.registry.findGroupId(limit))
      this.#buckets.read(pending, limit, nowUs)
      assess(pending.quota, pending, 0, nowUs, pending.result)
      this.#buckets.repair(pending, limit, nowUs)
      const penalty = findPenalty(limit)
      return applyBlock(createStanding(limit, partition, 0, pending.result), penalty && this.#penalties.loadEntry(penalty, partition, nowUs), nowUs)
    })
  }

  adjust (adjustments: readonly Adjustment[]): void {
    const nowUs = this.#clock.nowUs()
    const pending = this.#pendingCharges[0]
    const { result } = pending
    for (const { standing, atUs, units, onlyIfLast } of adjustments) {
      const { limit, partition } = standing
      // No units are of such a limit; those of another version of it stay.
      if (limit.max === 0) continue
      this.#buckets.registry.trim()
      this.#buckets.selectPartition(partition)
      this.#buckets.find(pending, this.#buckets.registry.findOrAddGroupId(limit))
      // Nothing can be given back to a bucket that has gone, or that counts otherwise by now.
      if (units <= 0 && !this.#buckets.hasBucket(pending, limit)) continue
      this.#buckets.read(pending, limit, nowUs)
      const { quota } = pending
      const resetUs = quota === limit ? standing.resetUs : convertResetUs(quota, standing, atUs, nowUs)
      if (onlyIfLast && units < 0 && quota.algorithm === 'token-bucket' && !isLastCharge(quota, pending.timeUs, pending.count, atUs + resetUs)) continue
      if (units > 0) charge(quota, pending, units, nowUs, result)
      else refund(quota, pending, -units, atUs, resetUs, nowUs, result)
      this.#buckets.write(pending, limit, nowUs)
    }
  }

  reset (limits: readonly Limit[], partition: string): number {
    const nowUs = this.#clock.nowUs()
    const pending = this.#pendingCharges[0]
    this.#buckets.selectPartition(partition)
    let resetCount = 0
    for (const limit of limits) {
      this.#buckets.find(pending, this.#buckets.registry.findGroupId(limit))
      if (this.#buckets.reset(pending, nowUs)) resetCount++
      const penalty = findPenalty(limit)
      if (penalty !== null && this.#penalties.reset(penalty, partition, nowUs)) resetCount++
    }
    return resetCount
  }

  /** Every block, in no order. */
  blocks (): Iterable<ActiveBlock> {
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
    return takeUnderPenalty(this.#penalties, charges, nowUs, (isBlocked) => takeAll(this.#buckets, this.#pendingCharges, charges, nowUs, isBlocked))
  }

  #takeOne (one: Charge, nowUs: number): Receipt {
    const { limit, partition, cost } = one
    const pending = this.#pendingCharges[0]
    const { result } = pending
    this.#buckets.selectPartition(partition)
    this.#buckets.find(pending, this.#buckets.registry.findOrAddGroupId(limit))
    this.#buckets.read(pending, limit, nowUs)
    assess(pending.quota, pending, cost, nowUs, result)
    if (result.granted && cost > 0) this.#buckets.commit(pending, limit, cost, nowUs)
    else this.#buckets.repair(pending, limit, nowUs)
    return {
      granted: result.granted || limit.mode === 'shadow',
      atUs: nowUs,
      standings: [createStanding(limit, partition, result.granted ? cost : 0, result)],
      blocks: NO_BLOCKS
    }
  }
}

const scratch = createCheckResult()

/** The reset of a charge under numbers by which its units drain at another pace. */
function convertResetUs (quota: Quota, { limit, resetUs }: Standing, atUs: number, nowUs: number): number {
  if (quota.algorithm !== 'token-bucket' || limit.algorithm !== 'token-bucket') return resetUs
  carryTokenBucket(limit, quota, atUs + resetUs, 0, nowUs, scratch)
  return scratch.timeUs + (scratch.count > 0 ? 1 : 0) - atUs
}
