import type { OtelHistogram } from '../../config/schema/metrics-schema.js'
import type { Labels, RecordingMetric } from './otel.js'

interface Sample {
  readonly metricName: string
  readonly labels: Record<string, string>
  readonly value: number
}

/** The number of observed values in each bucket. */
export class HistogramBuckets {
  readonly #bounds: readonly number[]
  /** One for each bound, and one for all above the last. */
  readonly #counts: number[]
  #sum = 0
  #record: ((value: number) => void) | null = null

  constructor (bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Array<number>(bounds.length + 1).fill(0)
  }

  /** Seconds, or a ratio. A value below 0 counts as 0: a clock that was set back must not decrease the sum. */
  observe (observed: number): void {
    const value = observed > 0 ? observed : 0
    let bucket = 0
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]) bucket++
    this.#counts[bucket]++
    this.#sum += value
    if (this.#record !== null) this.#record(value)
  }

  /** Record each further value in a histogram too. */
  recordTo (histogram: OtelHistogram, attributes: Labels): void {
    this.#record = (value) => { histogram.record(value, attributes) }
  }

  clear (): void {
    this.#counts.fill(0)
    this.#sum = 0
  }

  /** In Prometheus's form: each bucket includes those below it. */
  toSamples (name: string, labels: Readonly<Record<string, string>>): Sample[] {
    let count = 0
    const buckets = [...this.#bounds.map(String), '+Inf'].map((le, index) => {
      count += this.#counts[index]
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count }
    })
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels: { ...labels }, value: this.#sum },
      { metricName: `${name}_count`, labels: { ...labels }, value: count }
    ]
  }
}

/**
 * A histogram for a registry. That of prom-client costs a look-up per observation; this one reads buckets that its callers
 * count into directly.
 */
export class BucketHistogram<Label extends string> implements RecordingMetric {
  readonly name: string
  readonly help: string
  readonly type = 'histogram'
  /** How prom-client aggregates the workers of a cluster. */
  readonly aggregator = 'sum'
  readonly bounds: readonly number[]
  readonly #series: Array<{ readonly labels: Record<Label, string>, readonly buckets: HistogramBuckets }> = []

  /** Connects a series with the histogram of `recordTo`. */
  #recordSeries: ((labels: Labels, buckets: HistogramBuckets) => void) | null = null

  /** `bounds`: the upper bound of each bucket, ascending. */
  constructor (name: string, help: string, bounds: readonly number[]) {
    this.name = name
    this.help = help
    this.bounds = bounds
  }

  /** Creates a series. Call it once for each set of labels. */
  createBuckets (labels: Record<Label, string>): HistogramBuckets {
    const buckets = new HistogramBuckets(this.bounds)
    this.#series.push({ labels, buckets })
    this.#recordSeries?.(labels, buckets)
    return buckets
  }

  recordTo (histogram: OtelHistogram, toAttributes: (labels: Labels) => Labels): void {
    this.#recordSeries = (labels, buckets) => { buckets.recordTo(histogram, toAttributes(labels)) }
    for (const { labels, buckets } of this.#series) this.#recordSeries(labels, buckets)
  }

  async get () {
    const { name, help, type, aggregator } = this
    const values = this.#series.flatMap(({ labels, buckets }) => buckets.toSamples(name, labels))
    return { name, help, type, aggregator, values }
  }

  reset (): void {
    for (const { buckets } of this.#series) buckets.clear()
  }
}
