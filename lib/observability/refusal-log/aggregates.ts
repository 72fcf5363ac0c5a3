import { HyperLogLog } from './hyperloglog.js'

/** The refusals of one client by one limit. */
export interface Aggregate {
  readonly scope: string
  readonly limit: string
  /** The client's label in log lines. */
  readonly client: string
  readonly tier: string
  /** Refusals after the first. */
  repeats: number
  /** The same client's refusals by another limit. */
  readonly next: Aggregate | null
}

/** Refusals past the bound of aggregates. */
export interface Overflow {
  readonly refusals: number
  /** The estimated number of their clients. */
  readonly clients: number
}

/**
 * Aggregates the refusals of one client by one limit into the first one and a count. Past `maxAggregates` only totals are
 * kept, so memory and log lines stay bounded.
 */
export class Aggregates {
  readonly #maxAggregates: number
  #byPartition = new Map<string, Aggregate>()
  #size = 0
  #overflowRefusals = 0
  readonly #overflowClients = new HyperLogLog()

  /** `maxAggregates`: pairs of client and limit with a count of their own. */
  constructor (maxAggregates: number) {
    this.#maxAggregates = maxAggregates
  }

  /**
   * Counts a refusal. Returns true for a repeat, and past the bound. Otherwise the refusal is a first one: log it and
   * call `start`.
   */
  count (scope: string, limit: string, partition: string): boolean {
    // A linked list per client: a refusal that is not logged needs no concatenated key.
    for (let aggregate = this.#byPartition.get(partition) ?? null; aggregate !== null; aggregate = aggregate.next) {
      if (aggregate.limit === limit && aggregate.scope === scope) {
        aggregate.repeats++
        return true
      }
    }
    if (this.#size < this.#maxAggregates) return false
    this.#overflowRefusals++
    this.#overflowClients.add(partition)
    return true
  }

  /** Adds an aggregate for a first refusal. Later ones count into it, until the next `drain`. */
  start (scope: string, limit: string, partition: string, client: string, tier: string): Aggregate {
    const aggregate = { scope, limit, client, tier, repeats: 0, next: this.#byPartition.get(partition) ?? null }
    this.#byPartition.set(partition, aggregate)
    this.#size++
    return aggregate
  }

  /** Returns and removes all counts, in the order of the clients' first refusals. */
  drain (): { readonly repeated: readonly Aggregate[], readonly overflow: Overflow | null } {
    const repeated: Aggregate[] = []
    for (const first of this.#byPartition.values()) {
      for (let aggregate: Aggregate | null = first; aggregate !== null; aggregate = aggregate.next) {
        if (aggregate.repeats > 0) repeated.push(aggregate)
      }
    }
    const overflow = this.#overflowRefusals === 0 ? null : { refusals: this.#overflowRefusals, clients: this.#overflowClients.estimate }
    // A new map: a cleared one keeps its memory.
    this.#byPartition = new Map()
    this.#size = 0
    if (overflow !== null) this.#overflowClients.clear()
    this.#overflowRefusals = 0
    return { repeated, overflow }
  }
}
