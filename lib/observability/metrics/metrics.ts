import type { MetricsRegistry } from '../../config/schema/metrics-schema.js'
import type { Decision } from '../../model/decision.js'
import type { FailureReason, Standing } from '../../stores/store.js'
import type { MetricSources } from './gauges.js'
import type { RouteMetrics } from './route-metrics.js'
import type { FallbackMode, MetricSet, ReloadResult } from './metric-set.js'
import type { StoreMetrics } from './store-metrics.js'

/** The config of a request's route, as far as it must be known; of an unknown URL it has no `url`. */
interface RouteConfig {
  readonly url?: string
}

export interface MetricsTarget {
  /** What all registrations of one application share, such as its server. */
  readonly app: object
  /** Default: the registry of the application, which is made if it has none. */
  readonly registry?: MetricsRegistry
}

/**
 * Count into a registry. Loads prom-client, so whoever has metrics off must not call this.
 *
 * Throws FST_SLUICE_CONTRADICTION where the registry has another's metrics by the same names.
 */
export async function createMetrics ({ app, registry }: MetricsTarget): Promise<Metrics> {
  const { getOrCreateMetricSet, resolveRegistry } = await import('./metric-set.js')
  const resolved = resolveRegistry(app, registry)
  return new Metrics(resolved, getOrCreateMetricSet(resolved))
}

/**
 * What one registration counts. All calls are cheap enough for the path of a request. Registrations that share a
 * registry share its series.
 */
export class Metrics {
  /** Where the metrics are read. */
  readonly registry: MetricsRegistry
  readonly #set: MetricSet
  #sources: MetricSources | null = null
  /** By the config of the route. */
  readonly #routes = new WeakMap<RouteConfig, RouteMetrics>()

  constructor (registry: MetricsRegistry, set: MetricSet) {
    this.registry = registry
    this.#set = set
  }

  /** The counts of a route by its pattern; `null` is a URL that is no route's. */
  getRoute (pattern: string | null): RouteMetrics {
    return pattern === null ? this.#set.unknownRoute : this.#set.routes.get(pattern)
  }

  /** The counts of a kind of store, such as `redis`. */
  getStore (kind: string): StoreMetrics {
    return this.#set.stores.get(kind)
  }

  /** What became of a request, and what each limit said to it. `standings`: as the store said it. */
  countDecision (config: RouteConfig, { outcome, client: { tier } }: Pick<Decision, 'outcome' | 'client'>, standings: readonly Standing[]): void {
    const routeMetrics = this.#routes.get(config) ?? this.#resolveRoute(config)
    routeMetrics.count(outcome, tier)
    routeMetrics.countLimits(standings, tier)
  }

  /** The store could not decide a request, so its failure mode did. A call that failed is counted once, as an error of the store. */
  countFallback (mode: FallbackMode, kind: string, reason: FailureReason): void {
    this.#set.fallbacks[mode].count++
    if (reason === 'breaker' || reason === 'overload') this.getStore(kind).countError(reason)
  }

  /** A request was held for so long, seconds. */
  observeDelay (seconds: number): void {
    this.#set.delays.observe(seconds)
  }

  /** A new configuration was taken, or refused. */
  countReload (result: ReloadResult): void {
    this.#set.reloads[result].count++
  }

  /** Show a limit's count of requests that came near it as 0 until there is one. */
  initLimit (name: string): void {
    this.#set.nearLimit.get(name)
  }

  /** Ask these whenever the metrics are read, until `close`. */
  watch (sources: MetricSources): void {
    this.close()
    this.#sources = sources
    this.#set.sources.add(sources)
  }

  /** Stop asking. What was counted stays in the registry. */
  close (): void {
    if (this.#sources !== null) this.#set.sources.delete(this.#sources)
    this.#sources = null
  }

  #resolveRoute (config: RouteConfig): RouteMetrics {
    const routeMetrics = this.getRoute(config.url ?? null)
    this.#routes.set(config, routeMetrics)
    return routeMetrics
  }
}
