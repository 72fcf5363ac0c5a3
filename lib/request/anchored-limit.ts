import { ZoneCalendar } from '../calendar/zone-calendar.js'
import { GenerationCache } from '../common/generation-cache.js'
import type { Limit } from '../stores/store.js'

/** Anchors per limit and generation. Further ones are compiled again. */
const MAX_ANCHORS = 5000

/** By limit and anchor. The same object for the same anchor: the cache of refusals compares limits by identity. */
const anchoredLimits = new WeakMap<Limit, GenerationCache<number, Limit>>()

/** The limit with the periods of a client; any other limit is returned unchanged. `anchorMs`: see `Client`. */
export function anchorLimit (limit: Limit, anchorMs: number): Limit {
  const { calendar } = limit
  if (!(calendar instanceof ZoneCalendar) || !calendar.isPerClient) return limit
  let cache = anchoredLimits.get(limit)
  if (cache === undefined) {
    cache = new GenerationCache(MAX_ANCHORS)
    anchoredLimits.set(limit, cache)
  }
  let anchored = cache.get(anchorMs)
  if (anchored === undefined) {
    anchored = { ...limit, calendar: new ZoneCalendar({ ...calendar.rule, anchorMs }, { isPerClient: true, keepsEnd: false }) }
    cache.set(anchorMs, anchored)
  }
  return anchored
}
