import { badOption } from '../config/schema/check.js'
import type { ConcurrencyOptions } from '../config/schema/concurrency-schema.js'
import { FST_SLUICE_CONTRADICTION } from '../errors.js'

/**
 * Check the fields that were written together with a `max`, or beside an inherited one. An inherited field that has no meaning
 * with this `max` is no mistake, and not used. `merged`: with all that is inherited.
 *
 * Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION with the place.
 */
export function checkConcurrencyFields (given: ConcurrencyOptions | undefined, merged: ConcurrencyOptions, place: string): void {
  if (given === undefined || given === false || merged === false) return
  if (merged.max === 'adaptive') {
    if (given.by !== undefined && given.by !== 'global') {
      throw badOption(`${place}.by`, '"global", or nothing, with max: "adaptive"', given.by)
    }
    if (given.lease !== undefined) {
      throw new FST_SLUICE_CONTRADICTION(`${place}.lease`, 'has no effect with max: "adaptive", which each process counts by itself')
    }
    if (given.queue !== undefined && given.queue !== false) {
      throw new FST_SLUICE_CONTRADICTION(`${place}.queue`, 'does not go with max: "adaptive", which refuses what would have to wait')
    }
    return
  }
  for (const field of ['min', 'limit'] as const) {
    if (given[field] !== undefined) throw new FST_SLUICE_CONTRADICTION(`${place}.${field}`, 'needs max: "adaptive"')
  }
}
