import type { LeaseTerms } from '../../algorithms/lease.js'
import type { TextHasher } from '../memory/hash.js'
import type { Charge, Limit } from '../store.js'
import { BucketLeases } from './bucket-leases.js'
import { BucketRow } from './bucket-row.js'
import { ABSENT, BucketTable } from './bucket-table.js'
import { DemandSketch } from './demand-sketch.js'
import type { LeaseCounters } from './lease-counters.js'
import type { LeasedStanding, LeaseHolder } from './leased-standing.js'
import { computeDemandUs, LeaseSizing, MIN_DEMAND } from './sizing.js'

/** Busy buckets per limit and generation. The leases of further ones lapse. */
const MAX_BUCKETS = 10_000

/** Its multiples are spread evenly between whole numbers. */
const GOLDEN_RATIO = 0.618034

/**
 * The busy buckets of one limit, in two generations: when the young table is full, it replaces the old one, which is dropped
 * as a whole. A bucket in use moves to the young one. The methods are about the partition whose hash the hasher has.
 */
export class LimitLeases implements LeaseHolder {
  readonly #limit: Limit
  readonly #terms: LeaseTerms
  readonly #hasher: TextHasher
  readonly #counters: LeaseCounters
  readonly #sketch: DemandSketch
  /** Of the bucket that is being checked. */
  readonly #row: BucketRow
  #young = new BucketTable<BucketLeases>()
  #old = new BucketTable<BucketLeases>()
  #met = 0

  constructor (limit: Limit, terms: LeaseTerms, hasher: TextHasher, counters: LeaseCounters) {
    this.#limit = limit
    this.#terms = terms
    this.#hasher = hasher
    this.#counters = counters
    this.#sketch = new DemandSketch(hasher, computeDemandUs(terms.gridUs))
    this.#row = new BucketRow(limit, this)
  }

  /**
   * Spend units of a lease, if that is all there is to do: the bucket is not short of them. `null` if it may be. Reads its row
   * and no object of it.
   */
  spend ({ partition, cost }: Charge, nowUs: number): LeasedStanding | null {
    const row = this.#young.find(this.#hasher)
    if (row === ABSENT || !this.#row.select(this.#young.rows, row).spend(cost, nowUs)) return null
    return this.#row.createStanding(partition, cost, this.#row.leaseId, nowUs)
  }

  refund ({ partition, leaseId }: LeasedStanding, units: number, nowUs: number): number {
    this.#hasher.hash(partition)
    return this.find()?.refund(leaseId, units, nowUs) ?? 0
  }

  charge ({ partition }: LeasedStanding, units: number, nowUs: number): number {
    this.#hasher.hash(partition)
    return this.find()?.charge(units, nowUs) ?? 0
  }

  find (): BucketLeases | undefined {
    return this.#young.get(this.#hasher) ?? this.#promote() ?? undefined
  }

  /** Count the units of a bucket that is not busy. Returns it if it is busy now. */
  meet (partition: string, units: number, nowUs: number): BucketLeases | undefined {
    const demand = this.#sketch.add(units, nowUs)
    if (demand < MIN_DEMAND) return undefined
    const sizing = new LeaseSizing(this.#terms.gridUs, demand - units, (this.#met++ * GOLDEN_RATIO) % 1, nowUs)
    const bucket = new BucketLeases(new BucketRow(this.#limit, this), partition, this.#terms, sizing, this.#counters)
    this.#add(bucket)
    return bucket
  }

  delete (): void {
    this.#young.remove(this.#hasher)
    this.#old.remove(this.#hasher)
  }

  * buckets (): Generator<BucketLeases> {
    yield * this.#young.buckets()
    yield * this.#old.buckets()
  }

  #add (bucket: BucketLeases): void {
    if (this.#young.size >= MAX_BUCKETS) {
      this.#old = this.#young
      this.#young = new BucketTable<BucketLeases>()
    }
    this.#young.add(this.#hasher, bucket)
  }

  #promote (): BucketLeases | null {
    const bucket = this.#old.remove(this.#hasher)
    if (bucket !== null) this.#add(bucket)
    return bucket
  }
}
