import type { Static } from '@sinclair/typebox'
import { badOption } from './check.js'
import { parseCidrs, NetworkList } from './network-list.js'
import { RoutePath } from './option-types.js'
import { Type } from './type-builder.js'

const REGISTRY_EXPECTED = 'a Registry of prom-client'
const METER_EXPECTED = 'a Meter of @opentelemetry/api'

/** A metric as a registry keeps it: the part of its interface that is used here. */
export interface RegisteredMetric {
  get (): unknown
  reset (): void
}

/** The part of a prom-client Registry that is used here, so that another version or copy of prom-client works too. */
export interface MetricsRegistry {
  registerMetric (metric: RegisteredMetric): void
  getSingleMetric (name: string): unknown
  metrics (): Promise<string>
  readonly contentType: string
}

/** How an instrument is described. */
export interface OtelInstrumentOptions {
  readonly description: string
  readonly unit?: string
}

/** How a histogram is described, with the upper bounds of its buckets. */
export interface OtelHistogramOptions extends OtelInstrumentOptions {
  readonly advice: { explicitBucketBoundaries: number[] }
}

/** An instrument that a meter reads. */
export interface OtelObservable {
  addCallback (callback: (result: { observe (value: number, attributes: Readonly<Record<string, string>>): void }) => Promise<void>): void
}

/** An instrument that values are recorded in. */
export interface OtelHistogram {
  record (value: number, attributes: Readonly<Record<string, string>>): void
}

/** The part of a Meter of @opentelemetry/api that is used here. The package need not be installed. */
export interface OtelMeter {
  createObservableCounter (name: string, options: OtelInstrumentOptions): OtelObservable
  createObservableGauge (name: string, options: OtelInstrumentOptions): OtelObservable
  createHistogram (name: string, options: OtelHistogramOptions): OtelHistogram
}

/** `metrics`: the route with metrics for Prometheus, and a meter of OpenTelemetry. */
export const MetricsSchema = Type.Union([
  Type.Literal(false),
  Type.Object({
    path: Type.Optional(RoutePath()),
    registry: Type.Optional(Type.Unsafe<MetricsRegistry>(Type.Any({ expected: REGISTRY_EXPECTED }))),
    otel: Type.Optional(Type.Unsafe<OtelMeter>(Type.Any({ expected: METER_EXPECTED }))),
    allow: Type.Optional(NetworkList())
  }, { additionalProperties: false })
], {
  expected: 'false, or an object: { path?, allow?, registry?, otel? }',
  description: 'A route with metrics for Prometheus, by default `/metrics` below the prefix. ' +
    'It answers loopback and private addresses only; others get 404 unless `allow` lists their networks. ' +
    '`registry` is a prom-client Registry of yours to register the metrics in. ' +
    '`otel` is a Meter of yours for the same metrics through OpenTelemetry; there is no route then, unless `path` or `registry` is set.'
})

/** Options of `metrics`. */
export type MetricsOptions = Static<typeof MetricsSchema>

/** Check what the schema cannot express. Throws FST_SLUICE_BAD_OPTION with the place, such as `rateLimit.metrics.allow[1]`. */
export function checkMetricsOptions ({ metrics }: { readonly metrics?: MetricsOptions }, place: string): void {
  if (metrics === undefined || metrics === false) return
  if (metrics.registry !== undefined && !isRegistry(metrics.registry)) {
    throw badOption(`${place}.metrics.registry`, REGISTRY_EXPECTED, metrics.registry)
  }
  if (metrics.otel !== undefined && !isMeter(metrics.otel)) throw badOption(`${place}.metrics.otel`, METER_EXPECTED, metrics.otel)
  parseCidrs(metrics.allow ?? [], `${place}.metrics.allow`)
}

function isRegistry (value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const registry: Partial<Record<keyof MetricsRegistry, unknown>> = value
  const methods = [registry.registerMetric, registry.getSingleMetric, registry.metrics]
  return methods.every((method) => typeof method === 'function') && typeof registry.contentType === 'string'
}

function isMeter (value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const meter: Partial<Record<keyof OtelMeter, unknown>> = value
  return [meter.createObservableCounter, meter.createObservableGauge, meter.createHistogram].every((method) => typeof method === 'function')
}
