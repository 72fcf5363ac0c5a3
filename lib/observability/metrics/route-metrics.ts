import type { Outcome } from '../../model/decision.js'
import type { Limit, Standing } from '../../stores/store.js'
import { ByName, ByTier, type LabelNames } from './label-cache.js'
import type { Cell, CellCounter } from './cell-counter.js'

/** What the routes of a registry count into. */
export interface RouteCounters {
  readonly requests: CellCounter<'route' | 'tier' | 'outcome'>
  readonly rejections: CellCounter<'route' | 'limit' | 'tier' | 'mode'>
  readonly nearLimit: ByName<Cell>
  readonly limitNames: LabelNames
  readonly tierNames: LabelNames
}

/** A limit is near once less than a fifth of it is left. */
const NEAR = 5

/** Counts what becomes of the requests of one route: an addition each, in cells that the registry reads. */
export class RouteMeter {
  readonly #outcomes: ByTier<Readonly<Record<Outcome, Cell>>>
  readonly #refusals: ByName<Readonly<Record<Limit['mode'], ByTier<Cell>>>>
  readonly #nearLimit: ByName<Cell>

  constructor (route: string, { requests, rejections, nearLimit, limitNames, tierNames }: RouteCounters) {
    this.#outcomes = new ByTier(tierNames, (tier) => {
      const cell = (outcome: Outcome) => requests.cell({ route, tier, outcome })
      return {
        allowed: cell('allowed'),
        delayed: cell('delayed'),
        rejected: cell('rejected'),
        blocked: cell('blocked'),
        exempt: cell('exempt'),
        unavailable: cell('unavailable')
      }
    })
    this.#refusals = new ByName(limitNames, (limit) => {
      const cells = (mode: Limit['mode']) => new ByTier(tierNames, (tier) => rejections.cell({ route, limit, tier, mode }))
      return { enforce: cells('enforce'), shadow: cells('shadow') }
    })
    this.#nearLimit = nearLimit
  }

  /** What became of a request, once it is known. */
  count (outcome: Outcome, tier: string): void {
    this.#outcomes.of(tier)[outcome].count++
  }

  /** A limit refused a request, or would have. */
  countRefusal (limit: string, tier: string, mode: Limit['mode']): void {
    this.#refusals.of(limit)[mode].of(tier).count++
  }

  /**
   * What each limit said to a request: a refusal of every limit that refused, in its mode, and a limit that is nearly
   * used up by the units that it gave.
   */
  countLimits (standings: readonly Standing[], tier: string): void {
    for (const { limit, granted, charged, remaining } of standings) {
      if (!granted) this.countRefusal(limit.name, tier, limit.mode)
      else if (charged > 0 && remaining * NEAR < limit.capacity) this.#nearLimit.of(limit.name).count++
    }
  }
}
