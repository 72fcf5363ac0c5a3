import type { OtelHistogram, OtelMeter, RegisteredMetric } from '../../config/schema/metrics-schema.js'

/** Labels of one series. */
export type Labels = Readonly<Record<string, string>>

/** A metric as prom-client reads it. */
export interface ReadableMetric extends RegisteredMetric {
  readonly name: string
  readonly help: string
  readonly type: string
  get (): Promise<{ readonly values: ReadonlyArray<{ readonly labels: Labels, readonly value: number }> }>
}

/** A metric whose values are recorded one by one. */
export interface RecordingMetric extends ReadableMetric {
  /** The upper bound of each bucket, ascending. */
  readonly bounds: readonly number[]
  /** Record each further value in a histogram too. */
  recordTo (histogram: OtelHistogram, toAttributes: (labels: Labels) => Labels): void
}

/** Labels that the semantic conventions of OpenTelemetry have a name for. */
const CONVENTIONAL: ReadonlyMap<string, string> = new Map([['route', 'http.route'], ['code', 'error.type']])

const PREFIX = 'rate_limit'

/**
 * Publish a metric through a meter: `rate_limit_store_duration_seconds` is `rate_limit.store_duration` with the unit `s`. Counters
 * and gauges are read when the meter collects them, so that they cost a request nothing more.
 */
export function publishMetric (meter: OtelMeter, metric: ReadableMetric): void {
  const unit = metric.name.endsWith('_seconds') ? 's' : undefined
  const name = metric.name.replace(/_(?:total|seconds)$/, '').replace(`${PREFIX}_`, `${PREFIX}.`)
  const options = { description: metric.help, unit }
  if (isRecording(metric)) {
    metric.recordTo(meter.createHistogram(name, { ...options, advice: { explicitBucketBoundaries: [...metric.bounds] } }), toAttributes)
    return
  }
  const instrument = metric.type === 'counter' ? meter.createObservableCounter(name, options) : meter.createObservableGauge(name, options)
  instrument.addCallback(async (result) => {
    const { values } = await metric.get()
    for (const { labels, value } of values) result.observe(value, toAttributes(labels))
  })
}

function isRecording (metric: ReadableMetric): metric is RecordingMetric {
  return metric.type === 'histogram'
}

function toAttributes (labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).map(([label, value]) => [CONVENTIONAL.get(label) ?? `${PREFIX}.${label}`, value]))
}
