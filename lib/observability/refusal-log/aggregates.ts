import { HyperLogLog } from './hyperloglog.js'

/** The refusals of one client by one limit. */
export interface Aggregate {
  readonly scope: string
  readonly limit: string
  /** The client, as log lines name it. */
  readonly client: string
  readonly tier: string
  /** How many there were after the first. */
  repeats: number
  /** Those of the same client by another limit. */
  readonly next: Aggregate | null
}

/** Refusals beyond those that are told by client and limit. */
export interface Overflow {
  readonly refusals: number
  /** Of about how many clients. */
  readonly clients: number
}

/**
 * Folds refusals of one client by one limit into a first one and a number, for so many clients and limits; of what
 * comes beyond, only totals are kept. So neither many refusals nor many clients cost memory or lines.
 */
export class Aggregates {
  readonly #maxAggregates: number
  #byPartition = new Map<string, Aggregate>()
  #size = 0
  #overflowRefusals = 0
  readonly #overflowClients = new HyperLogLog()

  /** `most`: clients and limits that are told by themselves. */
  constructor (maxAggregates: number) {
    this.#maxAggregates = maxAggregates
  }

  /**
   * Count a refusal: true where it is a repeat, or one too many to be told by itself. Where not, it is to be logged, and
   * added by `begin`.
   */
  count (scope: string, limit: string, partition: string): boolean {
    // A list for each client: no key has to be put together for a refusal that is not logged.
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

  /** Fold the refusals after this one into it, until the next `drain`. */
  start (scope: string, limit: string, partition: string, client: string, tier: string): Aggregate {
    const aggregate = { scope, limit, client, tier, repeats: 0, next: this.#byPartition.get(partition) ?? null }
    this.#byPartition.set(partition, aggregate)
    this.#size++
    return aggregate
  }

  /** What is not told yet, in the order of the clients' first refusals. Everything begins anew. */
  drain (): { readonly repeated: readonly Aggregate[], readonly overflow: Overflow | null } {
    const repeated: Aggregate[] = []
    for (const first of this.#byPartition.values()) {
      for (let aggregate: Aggregate | null = first; aggregate !== null; aggregate = aggregate.next) {
        if (aggregate.repeats > 0) repeated.push(aggregate)
      }
    }
    const overflow = this.#overflowRefusals === 0 ? null : { refusals: this.#overflowRefusals, clients: this.#overflowClients.estimate }
    // A new one, since a cleared map keeps its size.
    this.#byPartition = new Map()
    this.#size = 0
    if (overflow !== null) this.#overflowClients.clear()
    this.#overflowRefusals = 0
    return { repeated, overflow }
  }
}
