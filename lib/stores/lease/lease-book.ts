import { GenerationCache } from '../../common/generation-cache.js'
import type { TextHasher } from '../memory/hash.js'
import { findPenalty, type Charge, type Limit, type Standing } from '../store.js'
import type { BucketLeases } from './bucket-leases.js'
import type { LeaseCounters } from './lease-counters.js'
import { LimitLeases } from './limit-leases.js'

/** Limits per generation. Each has a sketch of 32 kB. */
const MAX_LIMITS = 250

/** The buckets of several charges, by their index; `undefined` for those that are not busy. */
export type BusyBuckets = ReadonlyArray<BucketLeases | undefined>

/** The busy buckets of all limits that can be leased. */
export class LeaseBook {
  readonly #hasher: TextHasher
  readonly #counters: LeaseCounters
  readonly #limits = new GenerationCache<Limit, LimitLeases>(MAX_LIMITS)
  /** The limit of the last check, which is mostly the limit of the next one. */
  #lastLimit: Limit | null = null
  #last: LimitLeases | undefined = undefined
  /** Whether a limit with a penalty is leased. */
  hasPenalties = false

  constructor (hasher: TextHasher, counters: LeaseCounters) {
    this.#hasher = hasher
    this.#counters = counters
  }

  /** The busy buckets of a limit. Their methods are then about this partition. */
  select (limit: Limit, partition: string): LimitLeases | undefined {
    if (limit !== this.#lastLimit) {
      this.#lastLimit = limit
      this.#last = this.#limits.get(limit)
    }
    this.#hasher.hash(partition)
    return this.#last
  }

  /** A bucket that is known as busy. */
  find (limit: Limit, partition: string): BucketLeases | undefined {
    return this.select(limit, partition)?.find()
  }

  /** Count the units of the bucket that was selected, and is not known. Returns it if it is busy now. */
  meet (limit: Limit, partition: string, units: number, nowUs: number): BucketLeases | undefined {
    if (limit.lease === null || limit.lease === undefined) return undefined
    if (this.#last === undefined) {
      this.#last = new LimitLeases(limit, limit.lease, this.#hasher, this.#counters)
      this.#limits.set(limit, this.#last)
      if (findPenalty(limit) !== null) this.hasPenalties = true
    }
    return this.#last.meet(partition, units, nowUs)
  }

  /** Count the units of several charges. */
  meetAll (charges: readonly Charge[], nowUs: number): BusyBuckets {
    return charges.map(({ limit, partition, cost }) => this.find(limit, partition) ?? this.meet(limit, partition, cost, nowUs))
  }

  /** What is known of one bucket. Several policies may use it, each with a limit of its own. */
  findAll ({ bucket }: Limit, partition: string): BucketLeases[] {
    const found: BucketLeases[] = []
    this.#hasher.hash(partition)
    for (const [limit, leases] of this.#limits.entries()) {
      const known = limit.bucket === bucket ? leases.find() : undefined
      if (known !== undefined) found.push(known)
    }
    return found
  }

  /** Note what is in hand of one bucket. The result adds it to a standing that the store decided after that. */
  findHeld (limit: Limit, partition: string): (standing: Standing, nowUs: number) => Standing {
    const found = this.findAll(limit, partition).map((bucket) => ({ bucket, leaseIds: bucket.held.map(({ id }) => id) }))
    return (standing, nowUs) => found.reduce((seen, { bucket, leaseIds }) => bucket.addLeft(seen, leaseIds, nowUs), standing)
  }

  /** Forget a bucket that was reset. */
  forget ({ bucket }: Limit, partition: string): void {
    this.#hasher.hash(partition)
    for (const [limit, leases] of this.#limits.entries()) {
      if (limit.bucket !== bucket) continue
      leases.find()?.forget()
      leases.delete()
    }
  }

  clear (): void {
    this.#limits.clear()
    this.#lastLimit = null
    this.#last = undefined
    this.hasPenalties = false
  }

  /** End the leases of a partition under every limit with a penalty: it is blocked. */
  endPenalized (partition: string): void {
    this.#hasher.hash(partition)
    for (const [limit, leases] of this.#limits.entries()) if (findPenalty(limit) !== null) leases.find()?.end(false)
  }

  /** All busy buckets. `algorithm`: only of such limits. */
  * buckets (algorithm?: Limit['algorithm']): Generator<BucketLeases> {
    for (const [limit, leases] of this.#limits.entries()) {
      if (algorithm === undefined || limit.algorithm === algorithm) yield * leases.buckets()
    }
  }
}
