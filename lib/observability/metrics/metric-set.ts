import Registry from 'prom-client/lib/registry.js'
import type { MetricsRegistry, OtelMeter } from '../../config/schema/metrics-schema.js'
import { FST_SLUICE_CONTRADICTION } from '../../errors.js'
import type { RouteRateLimit } from '../../config/schema/policy-schema.js'
import { createLeaseCounters, LeaseTotals } from './lease-metrics.js'
import { LabelCache, BoundedLabels } from './label-cache.js'
import { CellCounter, type Cell } from './cell-counter.js'
import { createBreakerGauge, createConcurrencyLimitGauge, createInFlightGauge, createMemoryGauge, type MetricSources } from './gauges.js'
import { BucketHistogram, type HistogramBuckets } from './histogram.js'
import { publishMetric, type ReadableMetric } from './otel.js'
import { RouteMetrics } from './route-metrics.js'
import { StoreMetrics } from './store-metrics.js'

/*
 * This file and its imports load prom-client. Import it dynamically, and only if metrics are on.
 */

// Past these, the label is `(other)`, so that no mistake can fill a Prometheus.
const MAX_ROUTES = 10_000
const MAX_LIMITS = 1000
const MAX_TIERS = 100
const MAX_STORES = 20
const MAX_POLICIES = 1000
const MAX_CODES = 50

// A call to a near Redis takes a fraction of a millisecond. The deadline ends it after 50 ms by default, 5 s at most.
const STORE_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
/** Shares of a quota, in per cent steps that an alert needs. */
const USED_RATIOS = [0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 0.95, 1]
const DELAY_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60]

/** How a request was decided when the store could not. */
export type FallbackMode = NonNullable<RouteRateLimit['failureMode']>

/** The result of a reload. */
export type ReloadResult = 'success' | 'failure'

const names = {
  requests: 'rate_limit_requests_total',
  rejections: 'rate_limit_rejections_total',
  nearLimit: 'rate_limit_near_limit_total',
  quotaUsed: 'rate_limit_quota_used_ratio',
  storeDuration: 'rate_limit_store_duration_seconds',
  storeErrors: 'rate_limit_store_errors_total',
  storeErrorCodes: 'rate_limit_store_error_codes_total',
  breaker: 'rate_limit_breaker_state',
  fallbacks: 'rate_limit_fallback_total',
  delay: 'rate_limit_delay_seconds',
  reloads: 'rate_limit_config_reloads_total',
  memoryKeys: 'rate_limit_memory_keys',
  memoryOverflow: 'rate_limit_memory_overflow_total',
  inFlight: 'rate_limit_in_flight',
  concurrencyLimit: 'rate_limit_concurrency_limit',
  leaseChecks: 'rate_limit_lease_checks_total',
  leaseLapsed: 'rate_limit_lease_lapsed_units_total',
  leaseRenewals: 'rate_limit_lease_renewals_total'
} as const

/**
 * The metrics of one registry. All registrations that use it count into the same series. The counts of a registration
 * that closes stay.
 */
export class MetricSet {
  readonly sources = new Set<MetricSources>()
  readonly leases = new LeaseTotals()
  readonly routes: LabelCache<RouteMetrics>
  /** For URLs without a route. */
  readonly unknownRoute: RouteMetrics
  readonly stores: LabelCache<StoreMetrics>
  readonly nearLimit: LabelCache<Cell>
  readonly quotaUsed: LabelCache<HistogramBuckets>
  readonly fallbacks: Readonly<Record<FallbackMode, Cell>>
  readonly reloads: Readonly<Record<ReloadResult, Cell>>
  readonly memoryOverflow: Cell
  readonly delays: HistogramBuckets
  readonly #metrics: ReadonlyMap<string, ReadableMetric>
  readonly #meters = new WeakSet<OtelMeter>()

  constructor () {
    const requests = new CellCounter(names.requests, 'Requests checked against limits, by outcome.', ['route', 'tier', 'outcome'])
    const rejections = new CellCounter(names.rejections,
      'Refusals by each limit that refused a request, or would have refused it in shadow mode.', ['route', 'limit', 'tier', 'mode'])
    const nearLimit = new CellCounter(names.nearLimit, 'Granted requests that left less than 20 % of a limit.', ['limit'])
    const quotaUsed = new BucketHistogram<'limit'>(names.quotaUsed,
      'Share of a limit with a period that a client had used after each of its requests.', USED_RATIOS)
    const durations = new BucketHistogram<'store' | 'operation'>(names.storeDuration,
      'Duration of successful calls to the store, in seconds.', STORE_SECONDS)
    const errors = new CellCounter(names.storeErrors,
      'Failed calls to the store, and requests not sent to it because of the breaker or of overload, by reason.', ['store', 'reason'])
    const codes = new CellCounter(names.storeErrorCodes, 'Failed calls to the store, by the code of the cause.', ['store', 'code'])
    const codeNames = new BoundedLabels(MAX_CODES)
    const fallbacks = new CellCounter(names.fallbacks, 'Requests that the failure mode decided, because the store could not.', ['mode'])
    const delays = new BucketHistogram<never>(names.delay, 'How long throttled requests were held, in seconds.', DELAY_SECONDS)
    const reloads = new CellCounter(names.reloads, 'New configurations, by result.', ['result'])

    const overflowHelp = 'Charges and strikes of clients that had no room in memory, and counted for their network.'
    const memoryOverflow = new CellCounter(names.memoryOverflow, overflowHelp, [])

    const limitNames = new BoundedLabels(MAX_LIMITS)
    const tierNames = new BoundedLabels(MAX_TIERS)
    this.nearLimit = new LabelCache(limitNames, (limit) => nearLimit.createCellFromZero({ limit }))
    this.quotaUsed = new LabelCache(limitNames, (limit) => quotaUsed.createBuckets({ limit }))
    const counters = { requests, rejections, nearLimit: this.nearLimit, quotaUsed: this.quotaUsed, limitNames, tierNames }
    this.routes = new LabelCache(new BoundedLabels(MAX_ROUTES), (route) => new RouteMetrics(route, counters))
    this.unknownRoute = new RouteMetrics('(unknown)', counters)
    this.stores = new LabelCache(new BoundedLabels(MAX_STORES), (kind) => new StoreMetrics(kind, { durations, errors, codes, codeNames }))
    this.fallbacks = {
      local: fallbacks.createCellFromZero({ mode: 'local' }),
      open: fallbacks.createCellFromZero({ mode: 'open' }),
      closed: fallbacks.createCellFromZero({ mode: 'closed' })
    }
    this.reloads = {
      success: reloads.createCellFromZero({ result: 'success' }),
      failure: reloads.createCellFromZero({ result: 'failure' })
    }
    this.memoryOverflow = memoryOverflow.createCellFromZero({})
    this.delays = delays.createBuckets({})
    this.#metrics = new Map<string, ReadableMetric>([
      [names.requests, requests],
      [names.rejections, rejections],
      [names.nearLimit, nearLimit],
      [names.quotaUsed, quotaUsed],
      [names.storeDuration, durations],
      [names.storeErrors, errors],
      [names.storeErrorCodes, codes],
      [names.breaker, createBreakerGauge(names.breaker, this.sources)],
      [names.fallbacks, fallbacks],
      [names.delay, delays],
      [names.reloads, reloads],
      [names.memoryKeys, createMemoryGauge(names.memoryKeys, this.sources)],
      [names.memoryOverflow, memoryOverflow],
      [names.inFlight, createInFlightGauge(names.inFlight, this.sources, new BoundedLabels(MAX_POLICIES))],
      [names.concurrencyLimit, createConcurrencyLimitGauge(names.concurrencyLimit, this.sources, new BoundedLabels(MAX_POLICIES))],
      ...createLeaseCounters(names, this.leases)
    ])
  }

  /** Registers the metrics that the registry lacks: it may have been cleared. Throws FST_SLUICE_CONTRADICTION. */
  registerIn (registry: MetricsRegistry): void {
    const missing = [...this.#metrics].filter(([name, metric]) => {
      const found = registry.getSingleMetric(name)
      if (found !== undefined && found !== metric) {
        throw new FST_SLUICE_CONTRADICTION('rateLimit.metrics.registry',
          `already has a metric "${name}" that this plugin did not register, perhaps from another copy of it; pass a separate registry`)
      }
      return found === undefined
    })
    for (const [, metric] of missing) registry.registerMetric(metric)
  }

  /** Publishes the metrics through a meter, once. */
  publishTo (meter: OtelMeter): void {
    if (this.#meters.has(meter)) return
    this.#meters.add(meter)
    for (const metric of this.#metrics.values()) publishMetric(meter, metric)
  }
}

const sets = new WeakMap<MetricsRegistry, MetricSet>()
const registries = new WeakMap<object, MetricsRegistry>()

/** The metrics of a registry, created for its first registration. Throws FST_SLUICE_CONTRADICTION. */
export function getOrCreateMetricSet (registry: MetricsRegistry): MetricSet {
  const set = sets.get(registry) ?? new MetricSet()
  set.registerIn(registry)
  sets.set(registry, set)
  return set
}

/** The registry to use: `named`, else the first registry that was named for `app`, else a new one for `app`. */
export function resolveRegistry (app: object, named: MetricsRegistry | undefined): MetricsRegistry {
  const registry = named ?? registries.get(app) ?? new Registry()
  if (!registries.has(app)) registries.set(app, registry)
  return registry
}
