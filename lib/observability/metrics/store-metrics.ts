import type { FailureReason, Store } from '../../stores/store.js'
import type { Cell, CellCounter } from './cell-counter.js'
import type { BucketHistogram, Buckets } from './histogram.js'

/** What a store is called for. */
export type StoreOperation = Exclude<keyof Store, 'kind' | 'close'>

/** What the stores of a registry count into. */
export interface StoreCounters {
  readonly durations: BucketHistogram<'store' | 'operation'>
  readonly errors: CellCounter<'store' | 'reason'>
}

/** Counts the calls to one kind of store. */
export class StoreMeter {
  readonly #kind: string
  readonly #histogram: StoreCounters['durations']
  readonly #durations = new Map<StoreOperation, Buckets>()
  readonly #errors: Readonly<Record<FailureReason, Cell>>

  constructor (kind: string, { durations, errors }: StoreCounters) {
    const cell = (reason: FailureReason) => errors.cellFromZero({ store: kind, reason })
    this.#kind = kind
    this.#histogram = durations
    this.#errors = {
      deadline: cell('deadline'),
      breaker: cell('breaker'),
      overload: cell('overload'),
      connection: cell('connection'),
      error: cell('error')
    }
  }

  /** A call that was answered, and how long that took, seconds. */
  observe (operation: StoreOperation, seconds: number): void {
    const buckets = this.#durations.get(operation) ?? this.#bucketsOf(operation)
    buckets.observe(seconds)
  }

  /** A call that was not. */
  countError (reason: FailureReason): void {
    this.#errors[reason].count++
  }

  #bucketsOf (operation: StoreOperation): Buckets {
    const buckets = this.#histogram.buckets({ store: this.#kind, operation })
    this.#durations.set(operation, buckets)
    return buckets
  }
}
