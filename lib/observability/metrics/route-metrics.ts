import type { Outcome } from '../../model/decision.js'
import type { Limit, Standing } from '../../stores/store.js'
import { LabelCache, TierCache, type BoundedLabels } from './label-cache.js'
import type { Cell, CellCounter } from './cell-counter.js'

/** What the routes of a registry count into. */
export interface RouteCounters {
  readonly requests: CellCounter<'route' | 'tier' | 'outcome'>
  readonly rejections: CellCounter<'route' | 'limit' | 'tier' | 'mode'>
  readonly nearLimit: LabelCache<Cell>
  readonly limitNames: BoundedLabels
  readonly tierNames: BoundedLabels
}

/** A limit is near once less than a fifth of it is left. */
const NEAR_LIMIT_DIVISOR = 5

/** Counts what becomes of the requests of one route: an addition each, in cells that the registry reads. */
export class RouteMetrics {
  readonly #outcomes: TierCache<Readonly<Record<Outcome, Cell>>>
  readonly #refusals: LabelCache<Readonly<Record<Limit['mode'], TierCache<Cell>>>>
  readonly #nearLimit: LabelCache<Cell>

  constructor (route: string, { requests, rejections, nearLimit, limitNames, tierNames }: RouteCounters) {
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
  }

  /** What became of a request, once it is known. */
  count (outcome: Outcome, tier: string): void {
    this.#outcomes.get(tier)[outcome].count++
  }

  /** A limit refused a request, or would have. */
  countRefusal (limit: string, tier: string, mode: Limit['mode']): void {
    this.#refusals.get(limit)[mode].get(tier).count++
  }

  /**
   * What each limit said to a request: a refusal of every limit that refused, in its mode, and a limit that is nearly
   * used up by the units that it gave.
   */
  countLimits (standings: readonly Standing[], tier: string): void {
    for (const { limit, granted, charged, remaining } of standings) {
      if (!granted) this.countRefusal(limit.name, tier, limit.mode)
      else if (charged > 0 && remaining * NEAR_LIMIT_DIVISOR < limit.capacity) this.#nearLimit.get(limit.name).count++
    }
  }
}
