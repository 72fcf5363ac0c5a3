import type { Outcome } from '../../model/decision.js'
import type { Limit, Standing } from '../../stores/store.js'
import { LabelCache, TierCache, type BoundedLabels } from './label-cache.js'
import type { Cell, CellCounter } from './cell-counter.js'
import type { HistogramBuckets } from './histogram.js'

/** The counters that the routes of a registry share. */
export interface RouteCounters {
  readonly requests: CellCounter<'route' | 'tier' | 'outcome'>
  readonly rejections: CellCounter<'route' | 'limit' | 'tier' | 'mode'>
  readonly nearLimit: LabelCache<Cell>
  readonly quotaUsed: LabelCache<HistogramBuckets>
  readonly limitNames: BoundedLabels
  readonly tierNames: BoundedLabels
}

/** A limit counts as near when less than a fifth of it is left. */
const NEAR_LIMIT_DIVISOR = 5

/** Counts the outcomes of one route's requests: one addition each, in cells that the registry reads. */
export class RouteMetrics {
  readonly #outcomes: TierCache<Readonly<Record<Outcome, Cell>>>
  readonly #refusals: LabelCache<Readonly<Record<Limit['mode'], TierCache<Cell>>>>
  readonly #nearLimit: LabelCache<Cell>
  readonly #quotaUsed: LabelCache<HistogramBuckets>

  constructor (route: string, { requests, rejections, nearLimit, quotaUsed, limitNames, tierNames }: RouteCounters) {
    this.#outcomes = new TierCache(tierNames, (tier) => {
      const createCell = (outcome: Outcome) => requests.createCell({ route, tier, outcome })
      return {
        allowed: createCell('allowed'),
        delayed: createCell('delayed'),
        rejected: createCell('rejected'),
        blocked: createCell('blocked'),
        exempt: createCell('exempt'),
        unavailable: createCell('unavailable')
      }
    })
    this.#refusals = new LabelCache(limitNames, (limit) => {
      const createCells = (mode: Limit['mode']) => new TierCache(tierNames, (tier) => rejections.createCell({ route, limit, tier, mode }))
      return { enforce: createCells('enforce'), shadow: createCells('shadow') }
    })
    this.#nearLimit = nearLimit
    this.#quotaUsed = quotaUsed
  }

  /** Counts the outcome of a request. */
  count (outcome: Outcome, tier: string): void {
    this.#outcomes.get(tier)[outcome].count++
  }

  /** Counts a refusal by a limit, or by a limit in shadow mode. */
  countRefusal (limit: string, tier: string, mode: Limit['mode']): void {
    this.#refusals.get(limit)[mode].get(tier).count++
  }

  /**
   * Counts the results of each limit: a refusal, in the mode of the limit, or a charge that left less than a fifth of it; and
   * what is used of a limit with a period.
   */
  countLimits (standings: readonly Standing[], tier: string): void {
    for (const { limit, granted, charged, remaining, usage } of standings) {
      if (usage !== undefined && limit.max > 0) this.#quotaUsed.get(limit.name).observe(usage.units / limit.max)
      if (!granted) this.countRefusal(limit.name, tier, limit.mode)
      else if (charged > 0 && remaining * NEAR_LIMIT_DIVISOR < limit.capacity) this.#nearLimit.get(limit.name).count++
    }
  }
}
