import type { Outcome } from '../../model/decision.js'
import { STEPS, StepCounts } from './hour-steps.js'
import type { RouteConfig } from './recorded-decision.js'

/** Series with counts of their own: 4 kB each. Later ones count as `other`. */
const MAX_SERIES = 200

export const OTHER = 'other'
/** As in metrics: URLs without a route, and checks without a request. */
const UNKNOWN_ROUTE = '(unknown)'

/** The columns of a series. */
export const ALLOWED = 0
export const REFUSED = 1
export const UNCHECKED = 2
const COLUMNS = 3

const COLUMN_OF = {
  allowed: ALLOWED, delayed: ALLOWED, rejected: REFUSED, blocked: REFUSED, exempt: UNCHECKED, unavailable: UNCHECKED
} as const satisfies Record<Outcome, number>

/** The outcomes of a route's requests by clients of one tier. */
export interface Series {
  readonly route: string
  readonly tier: string
  readonly counts: StepCounts
}

interface RouteSeries {
  readonly route: string
  readonly byTier: Map<string, Series>
  /** The series of the last request: most routes have one tier. Empty before the first one. */
  lastTier: string
  last: Series
}

/** Counts outcomes by route, tier and step. Exact. */
export class OutcomeCounts {
  readonly other: Series = createSeries(OTHER, OTHER)
  readonly #series: Series[] = []
  readonly #byRoute = new Map<string, RouteSeries>()
  /** By the config of the route. */
  readonly #byConfig = new WeakMap<RouteConfig, RouteSeries>()
  /** Of the last request: most come to few routes. */
  #lastConfig: RouteConfig | null = null
  #lastRoute: RouteSeries = { route: OTHER, byTier: new Map<string, Series>(), lastTier: '', last: this.other }
  /** Of the current step. */
  #at = 0

  /** Every series but `other`. */
  get series (): readonly Series[] {
    return this.#series
  }

  count (config: RouteConfig, outcome: Outcome, tier: string): void {
    const route = config === this.#lastConfig ? this.#lastRoute : this.#findRoute(config)
    const series = route.lastTier === tier ? route.last : this.#findSeries(route, tier)
    series.counts.cells[this.#at + (outcome === 'allowed' ? ALLOWED : COLUMN_OF[outcome])]++
  }

  /** See `StepCounts.advance`. */
  advance (last: number, next: number): void {
    this.#at = (next % STEPS) * COLUMNS
    this.other.counts.advance(last, next)
    for (const { counts } of this.#series) counts.advance(last, next)
  }

  #findRoute (config: RouteConfig): RouteSeries {
    this.#lastConfig = config
    this.#lastRoute = this.#byConfig.get(config) ?? this.#addRoute(config)
    return this.#lastRoute
  }

  #addRoute (config: RouteConfig): RouteSeries {
    const name = config.url ?? UNKNOWN_ROUTE
    const known = this.#byRoute.get(name)
    // Past the bound, no route is remembered by its name: an application may have any number of them.
    const route = known ?? { route: name, byTier: new Map<string, Series>(), lastTier: '', last: this.other }
    if (known === undefined && this.#series.length < MAX_SERIES) this.#byRoute.set(name, route)
    this.#byConfig.set(config, route)
    return route
  }

  #findSeries (route: RouteSeries, tier: string): Series {
    let series = route.byTier.get(tier)
    if (series === undefined) {
      if (this.#series.length >= MAX_SERIES) return this.other
      series = createSeries(route.route, tier)
      this.#series.push(series)
      route.byTier.set(tier, series)
    }
    route.last = series
    route.lastTier = tier
    return series
  }
}

/** Without counts. */
export function createSeries (route: string, tier: string): Series {
  return { route, tier, counts: new StepCounts(COLUMNS, STEPS) }
}
