import type { LeaseTerms } from '../../algorithms/lease.js'
import { GenerationCache } from '../../common/generation-cache.js'
import type { TextHasher } from '../memory/hash.js'
import type { Limit } from '../store.js'
import { BucketLeases } from './bucket-leases.js'
import { DemandSketch } from './demand-sketch.js'
import type { LeaseCounters } from './lease-counters.js'
import { LeaseSizing, MIN_DEMAND } from './sizing.js'

/** Busy buckets per limit and generation. The leases of further ones lapse. */
const MAX_BUCKETS = 10_000

/** Its multiples are spread evenly between whole numbers. */
const GOLDEN_RATIO = 0.618034

/** The busy buckets of one limit. */
export class LimitLeases {
  readonly #limit: Limit
  readonly #terms: LeaseTerms
  readonly #counters: LeaseCounters
  readonly #buckets = new GenerationCache<string, BucketLeases>(MAX_BUCKETS)
  readonly #sketch: DemandSketch
  #met = 0

  constructor (limit: Limit, terms: LeaseTerms, hasher: TextHasher, counters: LeaseCounters) {
    this.#limit = limit
    this.#terms = terms
    this.#counters = counters
    this.#sketch = new DemandSketch(hasher, 2 * terms.gridUs)
  }

  find (partition: string): BucketLeases | undefined {
    return this.#buckets.get(partition)
  }

  /** Count the units of a bucket that is not busy. Returns it if it is busy now. */
  meet (partition: string, units: number, nowUs: number): BucketLeases | undefined {
    const demand = this.#sketch.add(partition, units, nowUs)
    if (demand < MIN_DEMAND) return undefined
    const sizing = new LeaseSizing(this.#terms.gridUs, demand - units, (this.#met++ * GOLDEN_RATIO) % 1, nowUs)
    const bucket = new BucketLeases(this.#limit, partition, this.#terms, sizing, this.#counters)
    this.#buckets.set(partition, bucket)
    return bucket
  }

  delete (partition: string): void {
    this.#buckets.delete(partition)
  }

  * buckets (): Generator<BucketLeases> {
    for (const [, bucket] of this.#buckets.entries()) yield bucket
  }
}
