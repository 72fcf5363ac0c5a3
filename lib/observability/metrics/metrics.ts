import type { MetricsRegistry, OtelMeter } from '../../config/schema/metrics-schema.js'
import type { Decision } from '../../model/decision.js'
import type { FailureReason, Standing } from '../../stores/store.js'
import type { MetricSources } from './gauges.js'
import type { RouteMetrics } from './route-metrics.js'
import type { FallbackMode, MetricSet, ReloadResult } from './metric-set.js'
import type { StoreMetrics } from './store-metrics.js'

/** The part of a route's config that is read. That of an unknown URL has no `url`. */
interface RouteConfig {
  readonly url?: string
}

export interface MetricsTarget {
  /** An object that all registrations of one application share, such as its server. */
  readonly app: object
  /** Default: the registry of the application, created if it has none. */
  readonly registry?: MetricsRegistry
  /** Publishes the metrics too. */
  readonly meter?: OtelMeter
}

/**
 * Creates the metrics of a registration. Loads prom-client, so do not call it if metrics are off.
 *
 * Throws FST_SLUICE_CONTRADICTION if the registry has other metrics of the same names.
 */
export async function createMetrics ({ app, registry, meter }: MetricsTarget): Promise<Metrics> {
  const { getOrCreateMetricSet, resolveRegistry } = await import('./metric-set.js')
  const resolved = resolveRegistry(app, registry)
  const set = getOrCreateMetricSet(resolved)
  if (meter !== undefined) set.publishTo(meter)
  return new Metrics(resolved, set)
}

/**
 * The metrics of one registration. All calls are cheap enough for the path of a request. Registrations that share a
 * registry share its series.
 */
export class Metrics {
  /** The registry that exposes the metrics. */
  readonly registry: MetricsRegistry
  readonly #set: MetricSet
  #sources: MetricSources | null = null
  /** By the config of the route. */
  readonly #routes = new WeakMap<RouteConfig, RouteMetrics>()

  constructor (registry: MetricsRegistry, set: MetricSet) {
    this.registry = registry
    this.#set = set
  }

  /** The counts of a route by its pattern; `null` for URLs without a route. */
  getRoute (pattern: string | null): RouteMetrics {
    return pattern === null ? this.#set.unknownRoute : this.#set.routes.get(pattern)
  }

  /** The counts of a kind of store, such as `redis`. */
  getStore (kind: string): StoreMetrics {
    return this.#set.stores.get(kind)
  }

  /** Counts the outcome of a request, and the results of its limits. `standings`: as the store returned them. */
  countDecision (config: RouteConfig, decision: Pick<Decision, 'outcome' | 'client'>, standings: readonly Standing[]): void {
    const { outcome, client: { tier } } = decision
    const routeMetrics = this.#routes.get(config) ?? this.#resolveRoute(config)
    routeMetrics.count(outcome, tier)
    routeMetrics.countLimits(standings, tier)
  }

  /** Counts a request that the failure mode decided. A failed call is counted once, as an error of the store. */
  countFallback (mode: FallbackMode, kind: string, reason: FailureReason): void {
    this.#set.fallbacks[mode].count++
    if (reason === 'breaker' || reason === 'overload') this.getStore(kind).countError(reason)
  }

  /** Counts how long a request was held, seconds. */
  observeDelay (seconds: number): void {
    this.#set.delays.observe(seconds)
  }

  /** Counts a charge or a strike of a client without room in memory. */
  countMemoryOverflow (): void {
    this.#set.memoryOverflow.count++
  }

  /** Counts a reload. */
  countReload (result: ReloadResult): void {
    this.#set.reloads[result].count++
  }

  /** Creates a limit's `near_limit` series at 0. */
  initLimit (name: string): void {
    this.#set.nearLimit.get(name)
  }

  /** Reads `sources` whenever the metrics are read, until `close`. */
  watch (sources: MetricSources): void {
    this.close()
    this.#sources = sources
    this.#set.sources.add(sources)
    if (sources.leases !== null) this.#set.leases.add(sources.leases)
  }

  /** Stops reading the sources. Counts stay in the registry. */
  close (): void {
    if (this.#sources === null) return
    this.#set.sources.delete(this.#sources)
    if (this.#sources.leases !== null) this.#set.leases.close(this.#sources.leases)
    this.#sources = null
  }

  #resolveRoute (config: RouteConfig): RouteMetrics {
    const routeMetrics = this.getRoute(config.url ?? null)
    this.#routes.set(config, routeMetrics)
    return routeMetrics
  }
}
