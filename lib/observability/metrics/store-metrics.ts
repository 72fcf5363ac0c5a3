import type { FailureReason, Store } from '../../stores/store.js'
import type { Cell, CellCounter } from './cell-counter.js'
import { LabelCache, type BoundedLabels } from './label-cache.js'
import type { BucketHistogram, HistogramBuckets } from './histogram.js'

/** The operations of a store. */
export type StoreOperation = Exclude<keyof Store, 'kind' | 'close'>

/** The counters that the stores of a registry share. */
export interface StoreCounters {
  readonly durations: BucketHistogram<'store' | 'operation'>
  readonly errors: CellCounter<'store' | 'reason'>
  readonly codes: CellCounter<'store' | 'code'>
  readonly codeNames: BoundedLabels
}

/** Counts the calls to one kind of store. */
export class StoreMetrics {
  readonly #kind: string
  readonly #histogram: StoreCounters['durations']
  readonly #durations = new Map<StoreOperation, HistogramBuckets>()
  readonly #errors: Readonly<Record<FailureReason, Cell>>
  readonly #codes: LabelCache<Cell>

  constructor (kind: string, { durations, errors, codes, codeNames }: StoreCounters) {
    const createCell = (reason: FailureReason) => errors.createCellFromZero({ store: kind, reason })
    this.#kind = kind
    this.#histogram = durations
    this.#codes = new LabelCache(codeNames, (code) => codes.createCell({ store: kind, code }))
    this.#errors = {
      deadline: createCell('deadline'),
      breaker: createCell('breaker'),
      overload: createCell('overload'),
      connection: createCell('connection'),
      error: createCell('error')
    }
  }

  /** Counts a successful call and its duration, seconds. */
  observe (operation: StoreOperation, seconds: number): void {
    const buckets = this.#durations.get(operation) ?? this.#createBuckets(operation)
    buckets.observe(seconds)
  }

  /** Counts a failed call. */
  countError (reason: FailureReason): void {
    this.#errors[reason].count++
  }

  /** Counts the cause of a failed call, by its code. */
  countCode (code: string): void {
    this.#codes.get(code).count++
  }

  #createBuckets (operation: StoreOperation): HistogramBuckets {
    const buckets = this.#histogram.createBuckets({ store: this.#kind, operation })
    this.#durations.set(operation, buckets)
    return buckets
  }
}
