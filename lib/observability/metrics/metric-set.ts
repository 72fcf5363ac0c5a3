import { Registry } from 'prom-client'
import type { MetricsRegistry, RegisteredMetric } from '../../config/schema/metrics-schema.js'
import { FST_SLUICE_CONTRADICTION } from '../../errors.js'
import type { RouteRateLimit } from '../../config/schema/policy-schema.js'
import { LabelCache, BoundedLabels } from './label-cache.js'
import { CellCounter, type Cell } from './cell-counter.js'
import { createBreakerGauge, createMemoryGauge, type MetricSources } from './gauges.js'
import { BucketHistogram, type HistogramBuckets } from './histogram.js'
import { RouteMetrics } from './route-metrics.js'
import { StoreMetrics } from './store-metrics.js'

/*
 * This file and those that it imports load prom-client, so only what has metrics on may import it, and when it runs.
 */

// Past these a label says `(other)`, so that no mistake can fill a Prometheus.
const MAX_ROUTES = 10_000
const MAX_LIMITS = 1000
const MAX_TIERS = 100
const MAX_STORES = 20

// A call to Redis next door takes a fraction of a millisecond; a deadline ends it after 50 ms, or 5 s at the most.
const STORE_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const DELAY_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60]

/** How requests were decided that the store could not decide. */
export type FallbackMode = NonNullable<RouteRateLimit['failureMode']>

/** What became of a new configuration. */
export type ReloadResult = 'success' | 'failure'

const names = {
  requests: 'rate_limit_requests_total',
  rejections: 'rate_limit_rejections_total',
  nearLimit: 'rate_limit_near_limit_total',
  storeDuration: 'rate_limit_store_duration_seconds',
  storeErrors: 'rate_limit_store_errors_total',
  breaker: 'rate_limit_breaker_state',
  fallbacks: 'rate_limit_fallback_total',
  delay: 'rate_limit_delay_seconds',
  reloads: 'rate_limit_config_reloads_total',
  memoryKeys: 'rate_limit_memory_keys'
} as const

/**
 * The metrics of one registry, whichever registrations count into them: they meet in the same series, and a
 * registration that closes leaves its counts behind.
 */
export class MetricSet {
  readonly sources = new Set<MetricSources>()
  readonly routes: LabelCache<RouteMetrics>
  /** Of requests for URLs that are no route's. */
  readonly unknownRoute: RouteMetrics
  readonly stores: LabelCache<StoreMetrics>
  readonly nearLimit: LabelCache<Cell>
  readonly fallbacks: Readonly<Record<FallbackMode, Cell>>
  readonly reloads: Readonly<Record<ReloadResult, Cell>>
  readonly delays: HistogramBuckets
  readonly #metrics: ReadonlyMap<string, RegisteredMetric>

  constructor () {
    const requests = new CellCounter(names.requests, 'Requests that were held against limits, by what became of them.', ['route', 'tier', 'outcome'])
    const rejections = new CellCounter(names.rejections, 'Refusals by each limit that refused a request; in shadow mode, that would have.', ['route', 'limit', 'tier', 'mode'])
    const nearLimit = new CellCounter(names.nearLimit, 'Granted requests that left less than 20 % of a limit.', ['limit'])
    const durations = new BucketHistogram<'store' | 'operation'>(names.storeDuration, 'How long calls to the store took until they were answered.', STORE_SECONDS)
    const errors = new CellCounter(names.storeErrors, 'Calls to the store that failed, and requests that were not sent to it because of the breaker or of overload, by why.', ['store', 'reason'])
    const fallbacks = new CellCounter(names.fallbacks, 'Requests that the failure mode decided, because the store could not.', ['mode'])
    const delays = new BucketHistogram<never>(names.delay, 'How long throttled requests were held.', DELAY_SECONDS)
    const reloads = new CellCounter(names.reloads, 'New configurations, by whether they were taken.', ['result'])

    const limitNames = new BoundedLabels(MAX_LIMITS)
    const tierNames = new BoundedLabels(MAX_TIERS)
    this.nearLimit = new LabelCache(limitNames, (limit) => nearLimit.createCellFromZero({ limit }))
    const counters = { requests, rejections, nearLimit: this.nearLimit, limitNames, tierNames }
    this.routes = new LabelCache(new BoundedLabels(MAX_ROUTES), (route) => new RouteMetrics(route, counters))
    this.unknownRoute = new RouteMetrics('(unknown)', counters)
    this.stores = new LabelCache(new BoundedLabels(MAX_STORES), (kind) => new StoreMetrics(kind, { durations, errors }))
    this.fallbacks = {
      local: fallbacks.createCellFromZero({ mode: 'local' }),
      open: fallbacks.createCellFromZero({ mode: 'open' }),
      closed: fallbacks.createCellFromZero({ mode: 'closed' })
    }
    this.reloads = {
      success: reloads.createCellFromZero({ result: 'success' }),
      failure: reloads.createCellFromZero({ result: 'failure' })
    }
    this.delays = delays.createBuckets({})
    this.#metrics = new Map<string, RegisteredMetric>([
      [names.requests, requests],
      [names.rejections, rejections],
      [names.nearLimit, nearLimit],
      [names.storeDuration, durations],
      [names.storeErrors, errors],
      [names.breaker, createBreakerGauge(names.breaker, this.sources)],
      [names.fallbacks, fallbacks],
      [names.delay, delays],
      [names.reloads, reloads],
      [names.memoryKeys, createMemoryGauge(names.memoryKeys, this.sources)]
    ])
  }

  /** Add what the registry has not, or no longer: it may have been cleared. Throws FST_SLUICE_CONTRADICTION. */
  registerIn (registry: MetricsRegistry): void {
    const missing = [...this.#metrics].filter(([name, metric]) => {
      const found = registry.getSingleMetric(name)
      if (found !== undefined && found !== metric) throw new FST_SLUICE_CONTRADICTION('rateLimit.metrics.registry', `it has a metric "${name}" of somebody else already, maybe of another copy of this plugin; give a registry of its own`)
      return found === undefined
    })
    for (const [, metric] of missing) registry.registerMetric(metric)
  }
}

const sets = new WeakMap<MetricsRegistry, MetricSet>()
const registries = new WeakMap<object, MetricsRegistry>()

/** The metrics of a registry, made with the first registration that publishes there. Throws FST_SLUICE_CONTRADICTION. */
export function getOrCreateMetricSet (registry: MetricsRegistry): MetricSet {
  const set = sets.get(registry) ?? new MetricSet()
  set.registerIn(registry)
  sets.set(registry, set)
  return set
}

/** Where an application's registrations publish that name no registry: the first one that was named there, or one of its own. */
export function resolveRegistry (app: object, named: MetricsRegistry | undefined): MetricsRegistry {
  const registry = named ?? registries.get(app) ?? new Registry()
  if (!registries.has(app)) registries.set(app, registry)
  return registry
}
