import { parse } from '@lukeed/ms'

export const DURATION_EXPECTED = 'a duration such as "10s" or a number of milliseconds'

/** One number and at most one unit: the parser itself would take "10sm" for ten seconds. */
const DURATION = /^\d*\.?\d+ *(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?|y|yrs?|years?)?$/i

/**
 * A duration option in whole milliseconds, rounded up; `null` when it is not one.
 * A number is milliseconds, whole and 1 or more; a string has a unit (`ms`, `s`, `minutes`, `hour`, `days`, `w`, `year`).
 */
export function durationMs (value: unknown): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 1 ? value : null
  if (typeof value !== 'string' || !DURATION.test(value.trim())) return null
  const ms = parse(value.trim())
  // "1.5ms" and the like: round up, so that a limit never gets looser than it was written.
  return ms !== undefined && ms > 0 && ms <= Number.MAX_SAFE_INTEGER ? Math.ceil(ms) : null
}
