import { unboundedDurationMs } from '../config/schema/durations.js'
import type { CompatFaults } from './faults.js'

export const DEFAULT_MAX = 1000
export const DEFAULT_WINDOW_MS = 60_000

/** 17 years. The plugin counts microseconds, exactly up to two windows of this length. */
export const MAX_WINDOW_MS = 2 ** 39

/** The number that a `max` function returned: text of a database too. Any other value is logged, and the default applies. */
export function toMax (result: unknown, faults: CompatFaults): number {
  const max = toNumber(result)
  if (!Number.isNaN(max)) return max
  faults.reportLazy('max', () => new TypeError(`expected a number, got ${describe(result)}`))
  return DEFAULT_MAX
}

/** The milliseconds that a `timeWindow` function returned, rounded up: rounding must not loosen a limit. */
export function toWindowMs (result: unknown, faults: CompatFaults): number {
  const ms = unboundedDurationMs(result) ?? toNumber(result)
  if (ms > 0) return Math.min(Math.ceil(ms), MAX_WINDOW_MS)
  faults.reportLazy('timeWindow', () => new TypeError(`expected a number of milliseconds above 0, got ${describe(result)}`))
  return DEFAULT_WINDOW_MS
}

function toNumber (value: unknown): number {
  // `null` and booleans compare as numbers, as in the original: a `max` of null refuses all.
  return value === null || ['number', 'string', 'bigint', 'boolean'].includes(typeof value) ? Number(value) : NaN
}

/** Text is never shown: it may come from a client. */
function describe (value: unknown): string {
  return typeof value === 'number' ? String(value) : typeof value
}
