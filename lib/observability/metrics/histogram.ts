import type { RegisteredMetric } from '../../config/schema/metrics-schema.js'

interface Sample {
  readonly metricName: string
  readonly labels: Record<string, string | number>
  readonly value: number
}

/** How often each range of durations was seen. */
export class HistogramBuckets {
  readonly #bounds: readonly number[]
  /** One for each bound, and one for what is above them all. */
  readonly #counts: number[]
  #sum = 0

  constructor (bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Array<number>(bounds.length + 1).fill(0)
  }

  /** Seconds. What is less than 0 counts as 0: no sum may fall because a clock was set back. */
  observe (seconds: number): void {
    const duration = seconds > 0 ? seconds : 0
    let bucket = 0
    while (bucket < this.#bounds.length && duration > this.#bounds[bucket]) bucket++
    this.#counts[bucket]++
    this.#sum += duration
  }

  clear (): void {
    this.#counts.fill(0)
    this.#sum = 0
  }

  /** As Prometheus has them: each bucket holds those below it too. */
  toSamples (name: string, labels: Readonly<Record<string, string>>): Sample[] {
    let count = 0
    const buckets = [...this.#bounds, '+Inf'].map((le, index) => {
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
 * A histogram that a registry can keep. prom-client's own takes one observation at a time, with a look-up for each; this
 * one is read from buckets that were counted elsewhere.
 */
export class BucketHistogram<Label extends string> implements RegisteredMetric {
  readonly name: string
  readonly help: string
  readonly type = 'histogram'
  /** How prom-client joins the workers of a cluster. */
  readonly aggregator = 'sum'
  readonly #bounds: readonly number[]
  readonly #series: Array<{ readonly labels: Record<Label, string>, readonly createBuckets: HistogramBuckets }> = []

  /** `bounds`: the upper bound of each bucket, rising, seconds. */
  constructor (name: string, help: string, bounds: readonly number[]) {
    this.name = name
    this.help = help
    this.#bounds = bounds
  }

  /** Buckets of its own for these labels: ask once for each. */
  createBuckets (labels: Record<Label, string>): HistogramBuckets {
    const createBuckets = new HistogramBuckets(this.#bounds)
    this.#series.push({ labels, createBuckets })
    return createBuckets
  }

  async get () {
    const { name, help, type, aggregator } = this
    return { name, help, type, aggregator, values: this.#series.flatMap(({ labels, createBuckets }) => createBuckets.toSamples(name, labels)) }
  }

  reset (): void {
    for (const { createBuckets } of this.#series) createBuckets.clear()
  }
}
