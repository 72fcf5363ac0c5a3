import { parse } from '@lukeed/ms'

export const DURATION_EXPECTED = 'a duration such as "10s" or a number of milliseconds'

/** Characters. The parser takes time proportional to the square of the length, and the text may come from a client. */
const MAX_LENGTH = 100

/** One number and at most one unit. The parser alone would accept "10sm" as ten seconds. */
const DURATION = /^(?:\d*\.)?\d+ *(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?|y|yrs?|years?)?$/i

/**
 * Parse a duration option into whole milliseconds, rounded up. Returns `null` for any other value.
 * A number is milliseconds: an integer of 1 or more. A string has a unit (`ms`, `s`, `minutes`, `hour`, `days`, `w`, `year`), and
 * 100 characters at most.
 */
export function durationMs (value: unknown): number | null {
  const ms = unboundedDurationMs(value)
  return ms !== null && ms <= Number.MAX_SAFE_INTEGER ? ms : null
}

/** The same, also for durations that are longer than the milliseconds that can be counted exactly. */
export function unboundedDurationMs (value: unknown): number | null {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 1 ? value : null
  if (typeof value !== 'string' || value.length > MAX_LENGTH || !DURATION.test(value.trim())) return null
  const ms = parse(value.trim())
  // Round up values such as "1.5ms", so that a limit is never looser than it was written.
  return ms !== undefined && ms > 0 ? Math.ceil(ms) : null
}
