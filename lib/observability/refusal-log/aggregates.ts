import { DistinctCount } from './hyperloglog.js'

/** The refusals of one client by one limit. */
export interface Fold {
  readonly scope: string
  readonly limit: string
  /** The client, as log lines name it. */
  readonly client: string
  readonly tier: string
  /** How many there were after the first. */
  repeats: number
  /** Those of the same client by another limit. */
  readonly next: Fold | null
}

/** Refusals beyond those that are told by client and limit. */
export interface Rest {
  readonly refusals: number
  /** Of about how many clients. */
  readonly clients: number
}

/**
 * Folds refusals of one client by one limit into a first one and a number, for so many clients and limits; of what
 * comes beyond, only totals are kept. So neither many refusals nor many clients cost memory or lines.
 */
export class Folds {
  readonly #most: number
  #byPartition = new Map<string, Fold>()
  #size = 0
  #restRefusals = 0
  readonly #restClients = new DistinctCount()

  /** `most`: clients and limits that are told by themselves. */
  constructor (most: number) {
    this.#most = most
  }

  /**
   * Count a refusal: true where it is a repeat, or one too many to be told by itself. Where not, it is to be logged, and
   * added by `begin`.
   */
  count (scope: string, limit: string, partition: string): boolean {
    // A list for each client: no key has to be put together for a refusal that is not logged.
    for (let fold = this.#byPartition.get(partition) ?? null; fold !== null; fold = fold.next) {
      if (fold.limit === limit && fold.scope === scope) {
        fold.repeats++
        return true
      }
    }
    if (this.#size < this.#most) return false
    this.#restRefusals++
    this.#restClients.add(partition)
    return true
  }

  /** Fold the refusals after this one into it, until the next `drain`. */
  begin (scope: string, limit: string, partition: string, client: string, tier: string): Fold {
    const fold = { scope, limit, client, tier, repeats: 0, next: this.#byPartition.get(partition) ?? null }
    this.#byPartition.set(partition, fold)
    this.#size++
    return fold
  }

  /** What is not told yet, in the order of the clients' first refusals. Everything begins anew. */
  drain (): { readonly repeated: readonly Fold[], readonly rest: Rest | null } {
    const repeated: Fold[] = []
    for (const first of this.#byPartition.values()) {
      for (let fold: Fold | null = first; fold !== null; fold = fold.next) {
        if (fold.repeats > 0) repeated.push(fold)
      }
    }
    const rest = this.#restRefusals === 0 ? null : { refusals: this.#restRefusals, clients: this.#restClients.estimate }
    // A new one, since a cleared map keeps its size.
    this.#byPartition = new Map()
    this.#size = 0
    if (rest !== null) this.#restClients.clear()
    this.#restRefusals = 0
    return { repeated, rest }
  }
}
