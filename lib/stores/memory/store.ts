import type { Clock } from '../../common/clock.js'
import { carryTokenBucket } from '../../algorithms/carry-over.js'
import type { Quota } from '../../algorithms/quota.js'
import { isLastCharge } from '../../algorithms/token-bucket.js'
import { createCheckResult } from '../../algorithms/check-result.js'
import {
  NO_BLOCKS, findPenalty, findSlot, isConcurrency,
  type ActiveBlock, type Adjustment, type Charge, type Limit, type Receipt, type Standing, type Store
} from '../store.js'
import { assessBucket, refundBucket } from './bucket.js'
import { Buckets } from './buckets.js'
import { InFlightCounts } from './in-flight-counts.js'
import { Penalties } from './penalties.js'
import { takeAll, type OpenReceipt } from './take-all.js'
import { takeUnderPenalty, applyBlock } from './take-under-penalty.js'
import { createStanding, PendingCharge } from './pending-charge.js'

const SWEEP_INTERVAL_MS = 100

export interface MemoryStoreOptions {
  readonly clock: Clock
  /** Maximum number of buckets, and separately of penalties. 1 or more. */
  readonly maxKeys: number
  /** Called for each charge of a group, in place of a partition without room. */
  readonly onOverflow?: () => void
  /** Makes hashes and samples repeatable, for tests. By default they are random, so that clients cannot choose keys that collide. */
  readonly seed?: number
}

/** A store in this process's memory. Stop its timer with `close`. */
export function createMemoryStore (options: MemoryStoreOptions): MemoryStore {
  return new MemoryStore(options)
}

/**
 * Buckets in this process's memory.
 *
 * Holds at most `maxKeys` buckets, and evicts no bucket in use. When it is full, new partitions share the buckets of their
 * groups.
 * Every method returns its result in the same turn.
 */
export class MemoryStore implements Store {
  readonly kind = 'memory'
  readonly countsInFlight = true
  /** Requests in flight, which need no room and no sweep. */
  readonly inFlight = new InFlightCounts()
  readonly #clock: Clock
  readonly #buckets: Buckets
  readonly #penalties: Penalties
  readonly #pendingCharges: PendingCharge[] = [new PendingCharge()]
  readonly #sweeper: NodeJS.Timeout

  constructor ({ clock, maxKeys, seed, onOverflow = () => {} }: MemoryStoreOptions) {
    this.#clock = clock
    this.#buckets = new Buckets(clock, maxKeys, seed, onOverflow)
    this.#penalties = new Penalties(maxKeys, this.#buckets.groups, onOverflow)
    // Created here and not in a request: a timer keeps the AsyncLocalStorage of its creator alive.
    this.#sweeper = setInterval(() => { this.sweep() }, SWEEP_INTERVAL_MS).unref()
  }

  /** Number of buckets, including expired ones that were not removed yet. */
  get size (): number {
    return this.#buckets.shards.count
  }

  /** Number of buckets of groups, for partitions without room. */
  get sharedSize (): number {
    return this.#buckets.shared.shards.count
  }

  /** Number of partitions with strikes, levels or a block, including expired ones that were not removed yet. */
  get penalties (): number {
    return this.#penalties.size
  }

  /** Number of known limits: bucket texts, and sets of numbers for each. */
  get knownLimits (): number {
    return this.#buckets.registry.size
  }

  take (charges: readonly Charge[]): Receipt {
    this.#buckets.registry.trim()
    const nowUs = this.#clock.nowUs()
    // The fast path of most requests.
    const slot = findSlot(charges)
    if (slot !== undefined) return this.#takeWithSlot(charges, slot, nowUs)
    if (charges.length === 1 && charges[0].limit.penalty === null) return this.#takeOne(charges[0], nowUs)
    return this.#takeSeveral(charges, nowUs, null)
  }

  peek (limits: readonly Limit[], partition: string): readonly Standing[] {
    const nowUs = this.#clock.nowUs()
    const pending = this.#pendingCharges[0]
    this.#buckets.selectPartition(partition)
    return limits.map((limit) => {
      if (isConcurrency(limit)) return this.inFlight.peek(limit, partition)
      this.#buckets.find(pending, this.#buckets.registry.findGroupId(limit))
      this.#buckets.read(pending, limit, nowUs)
      assessBucket(pending.quota, pending, 0, nowUs, pending.result)
      this.#buckets.repair(pending, limit, nowUs)
      const penalty = findPenalty(limit)
      const entry = penalty === null ? null : this.#penalties.loadEntry(penalty, partition, nowUs)
      return applyBlock(createStanding(limit, partition, 0, pending), entry, nowUs)
    })
  }

  adjust (adjustments: readonly Adjustment[]): void {
    const slot = adjustments.length === 1 ? adjustments[0] : null
    if (slot === null || !isConcurrency(slot.standing.limit)) this.#adjustAll(adjustments)
    // The fast path of every request that is over.
    else if (slot.units < 0) this.inFlight.release(slot.standing.limit, slot.standing.partition, -slot.units)
  }

  #adjustAll (adjustments: readonly Adjustment[]): void {
    const nowUs = this.#clock.nowUs()
    const pending = this.#pendingCharges[0]
    const { result } = pending
    for (const { standing, atUs, units, onlyIfLast } of adjustments) {
      if (isConcurrency(standing.limit)) {
        if (units < 0) this.inFlight.release(standing.limit, standing.partition, -units)
        continue
      }
      // Such a limit has no units. Units of another version of the limit stay.
      if (standing.limit.max === 0) continue
      this.#buckets.registry.trim()
      const limit = this.#findAdjusted(pending, standing, units)
      // Do not refund to a bucket that is gone, or that another algorithm uses now.
      if (units <= 0 && !this.#buckets.hasBucket(pending, limit)) continue
      this.#buckets.read(pending, limit, nowUs)
      const { quota } = pending
      const chargedUntilUs = atUs + (quota === standing.limit ? standing.resetUs : convertResetUs(quota, standing, atUs, nowUs))
      const needsLast = onlyIfLast && units < 0 && quota.algorithm === 'token-bucket'
      if (needsLast && !isLastCharge(quota, pending, chargedUntilUs)) continue
      if (units > 0) {
        this.#buckets.charge(pending, limit, units, nowUs)
      } else {
        refundBucket(quota, pending, { units: -units, chargedAtUs: atUs, chargedUntilUs }, nowUs, result)
        this.#buckets.write(pending, limit, nowUs)
      }
    }
  }

  /** Find the bucket of a standing; for a refund that of the group, if it was charged. Returns the limit of that bucket. */
  #findAdjusted (pending: PendingCharge, { limit, partition, sharedPartition }: Standing, units: number): Limit {
    const { registry, shared } = this.#buckets
    const groupId = registry.findOrAddGroupId(limit)
    if (units <= 0 && sharedPartition !== undefined) {
      shared.findCharged(pending, sharedPartition, groupId)
      return shared.toShared(limit)
    }
    this.#buckets.selectPartition(partition)
    this.#buckets.find(pending, groupId)
    return limit
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

  /** Every block, unordered. */
  blocks (): Iterable<ActiveBlock> {
    return this.#penalties.blocks(this.#clock.nowUs())
  }

  /** Remove the expired entries of the next slice. A timer of the store calls it ten times a second. */
  sweep (): void {
    this.#buckets.shards.sweep()
    this.#buckets.shared.shards.sweep()
    this.#penalties.sweep(this.#clock.nowUs())
  }

  /** Always succeeds. */
  ping (): void {}

  /** Stop the timer and remove every bucket. */
  close (): void {
    clearInterval(this.#sweeper)
    this.#buckets.shards.clear()
    this.#buckets.shared.shards.clear()
    this.#penalties.clear()
  }

  /** Charge limits by rate together with a slot, all or none. */
  #takeWithSlot (charges: readonly Charge[], slot: Charge, nowUs: number): Receipt {
    const hasRoom = this.inFlight.hasSlots(slot)
    const isRefusing = !hasRoom && slot.limit.mode === 'enforce'
    const receipt = !isRefusing && charges.length === 2 && charges[0].limit.penalty === null
      ? this.#takeOne(charges[0], nowUs)
      : this.#takeSeveral(charges.slice(0, -1), nowUs, isRefusing ? 'slot' : null)
    const settled = this.inFlight.settle(slot, hasRoom, receipt)
    // An array of one that grows gets room for many.
    receipt.standings = receipt.standings.length === 1 ? [receipt.standings[0], settled] : [...receipt.standings, settled]
    return receipt
  }

  #takeSeveral (charges: readonly Charge[], nowUs: number, refusedBy: 'slot' | null): OpenReceipt {
    if (!charges.some(({ limit }) => limit.penalty !== null)) {
      return takeAll(this.#buckets, this.#pendingCharges, charges, nowUs, refusedBy)
    }
    return takeUnderPenalty(this.#penalties, charges, nowUs, (isBlocked) => {
      return takeAll(this.#buckets, this.#pendingCharges, charges, nowUs, isBlocked ? 'block' : refusedBy)
    })
  }

  #takeOne (one: Charge, nowUs: number): OpenReceipt {
    const { limit, partition, cost } = one
    const pending = this.#pendingCharges[0]
    const { result } = pending
    this.#buckets.selectPartition(partition)
    this.#buckets.find(pending, this.#buckets.registry.findOrAddGroupId(limit))
    this.#buckets.read(pending, limit, nowUs)
    assessBucket(pending.quota, pending, cost, nowUs, result)
    if (result.granted && cost > 0) this.#buckets.commit(pending, limit, cost, nowUs)
    else this.#buckets.repair(pending, limit, nowUs)
    return {
      granted: result.granted || limit.mode === 'shadow',
      atUs: nowUs,
      standings: [createStanding(limit, partition, result.granted ? cost : 0, pending)],
      blocks: NO_BLOCKS
    }
  }
}

const scratch = createCheckResult()

/** Convert the reset of a charge to other numbers, by which its units drain at another rate. */
function convertResetUs (quota: Quota, { limit, resetUs }: Standing, atUs: number, nowUs: number): number {
  if (quota.algorithm !== 'token-bucket' || limit.algorithm !== 'token-bucket') return resetUs
  carryTokenBucket(limit, quota, { timeUs: atUs + resetUs, count: 0, log: null, overuse: null }, nowUs, scratch)
  return scratch.timeUs + (scratch.count > 0 ? 1 : 0) - atUs
}
