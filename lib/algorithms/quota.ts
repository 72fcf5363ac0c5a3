import type { Calendar } from './calendar.js'

/** The algorithms of limits with a `timeWindow`. */
export type Algorithm = 'token-bucket' | 'sliding-window' | 'fixed-window'

/** The algorithm of any limit. `calendar-window` is that of limits with a `period`, `concurrency` counts requests in flight. */
export type QuotaAlgorithm = Algorithm | 'calendar-window' | 'concurrency'

/**
 * The numbers of one limit, prepared for the algorithms. All are integers; times are microseconds.
 *
 * The emission interval of GCRA, `windowUs / max`, is exact: `intervalUs + intervalNum / intervalDen`.
 * A whole-microsecond interval would be 43 % wrong at 700,000 units a second.
 */
export interface Quota {
  readonly algorithm: QuotaAlgorithm
  /** Units per window, 0 or more. 0 refuses every request. */
  readonly max: number
  readonly windowUs: number
  /** Units that can be granted at one moment: the burst of a token bucket, else `max`. */
  readonly capacity: number
  readonly intervalUs: number
  readonly intervalNum: number
  readonly intervalDen: number
  /** The time in which a full backlog drains, `capacity` emission intervals: whole part and numerator. */
  readonly capacityUs: number
  readonly capacityNum: number
  /**
   * How long a charge may wait for its token and still be granted. Token buckets only.
   * Whole microseconds. Default 0: refuse at once.
   */
  readonly maxDelayUs: number
  /**
   * How far ahead of the clock a TAT may be; debt ends there. So one unit never waits longer than a window, or the
   * longest delay. All quotas of one bucket must have the same ceiling, whatever their `maxDelayUs`: see `withMaxDelay`.
   */
  readonly ceilingUs: number
  /** How long the newest entry of a sliding window absorbs grants, microseconds. */
  readonly mergeUs: number
  /** The periods of a calendar window; `null` for every other algorithm. */
  readonly calendar: Calendar | null
}

/** Entries of a sliding window are at least 1/128 of the window apart. So there are at most 129 of them. */
const ENTRIES_PER_WINDOW = 128

/**
 * Compute the numbers of a limit.
 *
 * `max` 0 or more; `windowUs` 1 or more; `burst` (token bucket only) 1 or more, default `max`; `maxDelayUs` (token
 * bucket only) 0 or more, default 0. Check `isExact` before using the result.
 */
export function createQuota (algorithm: QuotaAlgorithm, max: number, windowUs: number, burst: number = max, maxDelayUs = 0): Quota {
  const isBucket = algorithm === 'token-bucket' && max > 0
  const capacity = isBucket ? burst : max
  const divisor = greatestCommonDivisor(max, windowUs)
  const intervalDen = Math.max(1, max / divisor)
  const reducedWindow = windowUs / divisor
  const intervalUs = Math.floor(reducedWindow / intervalDen)
  const intervalNum = reducedWindow % intervalDen
  const capacityCarry = Math.floor(capacity * intervalNum / intervalDen)
  const capacityUs = capacity * intervalUs + capacityCarry
  const capacityNum = capacity * intervalNum - capacityCarry * intervalDen
  // Round down: a larger ceiling would refuse a client for a microsecond longer than a window.
  const ceilingCarry = capacityNum < intervalNum ? 1 : 0
  const debtCeilingUs = capacityUs + windowUs - intervalUs - ceilingCarry
  const effectiveDelayUs = isBucket ? maxDelayUs : 0
  // The longest possible queue must fit, with its last microsecond rounded up. Without a delay it is not longer than the debt.
  const queueCeilingUs = capacityUs + effectiveDelayUs + (capacityNum > 0 ? 1 : 0)
  return {
    algorithm,
    max,
    windowUs,
    capacity,
    intervalUs,
    intervalNum,
    intervalDen,
    capacityUs,
    capacityNum,
    maxDelayUs: effectiveDelayUs,
    ceilingUs: Math.max(debtCeilingUs, queueCeilingUs),
    mergeUs: Math.ceil(windowUs / ENTRIES_PER_WINDOW),
    calendar: null
  }
}

/** A day of 25 hours makes a period this much longer. */
const EXTRA_HOUR_US = 3_600_000_000

/**
 * Compute the numbers of a calendar window. `windowUs`: the longest length of a period with days of 24 hours. Other limits of
 * the same bucket are converted by it, and headers show it.
 */
export function createCalendarQuota (max: number, windowUs: number, calendar: Calendar): Quota {
  return { ...createQuota('calendar-window', max, windowUs), ceilingUs: windowUs + EXTRA_HOUR_US, calendar }
}

/** The same numbers with another longest delay, at most the `maxDelayUs` that `createQuota` was given. */
export function withMaxDelay<Numbers extends Quota> (quota: Numbers, maxDelayUs: number): Numbers {
  return { ...quota, maxDelayUs }
}

/**
 * An eighth of the exact integers of a double, 35 years. An instant (in epoch microseconds, until the year 2112) stays
 * exact with three backlogs added: the current one, and a charge of up to two before the ceiling cuts it.
 */
const MAX_BACKLOG_US = 2 ** 50

/** Whether every product and sum that the algorithms compute from this quota is an exact integer, below 2^53. */
export function isExact (quota: Quota): boolean {
  return quota.ceilingUs <= MAX_BACKLOG_US &&
    quota.windowUs <= MAX_BACKLOG_US &&
    // Windows count units and never multiply with the interval.
    (quota.algorithm !== 'token-bucket' || (quota.capacity + unitsAhead(quota) + 1) * quota.intervalDen <= Number.MAX_SAFE_INTEGER)
}

/** Units that a backlog may hold beyond the capacity, with its last microsecond rounded up. */
function unitsAhead ({ max, windowUs, maxDelayUs }: Quota): number {
  return maxDelayUs === 0 ? max : Math.max(max, Math.ceil((maxDelayUs + 1) * (max / windowUs)) + 1)
}

function greatestCommonDivisor (a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b]
  return a
}
