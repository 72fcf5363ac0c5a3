/** How a limit counts. */
export type Algorithm = 'token-bucket' | 'sliding-window' | 'fixed-window'

/**
 * The numbers of one limit, prepared for the algorithms. All are integers; times are microseconds.
 *
 * The emission interval of GCRA, `windowUs / max`, is kept exact as `intervalUs + intervalNum / intervalDen`:
 * a whole-microsecond interval would be 43 % wrong at 700,000 units a second.
 */
export interface Quota {
  readonly algorithm: Algorithm
  /** Units per window, 0 or more. 0 refuses everything. */
  readonly max: number
  readonly windowUs: number
  /** Most units that can be granted at one moment: the burst of a token bucket, else `max`. */
  readonly capacity: number
  readonly intervalUs: number
  readonly intervalNum: number
  readonly intervalDen: number
  /** The time in which a full backlog drains, `capacity` emission intervals: whole part and numerator. */
  readonly capacityUs: number
  readonly capacityNum: number
  /**
   * How long a charge may wait for its token and still be granted: 0, the default, refuses at once.
   * Token buckets only, whole microseconds.
   */
  readonly maxDelayUs: number
  /**
   * How far ahead of the clock a TAT may lie, so that one unit never waits longer than a window, or the patience:
   * debt ends there. Quotas of one bucket must agree on it, whatever their patience: see `withMaxDelay`.
   */
  readonly ceilingUs: number
  /** How long the newest entry of a sliding window absorbs grants. */
  readonly mergeUs: number
}

/** Entries of a sliding window are at least this share of the window apart, which bounds them to 129. */
const ENTRIES_PER_WINDOW = 128

/**
 * Prepare a limit's numbers.
 *
 * `max` 0 or more; `windowUs` 1 or more; `burst` (token bucket only) 1 or more, default `max`; `maxDelayUs` (token
 * bucket only) 0 or more, default 0. Ask `isExact` before using the result.
 */
export function createQuota (algorithm: Algorithm, max: number, windowUs: number, burst: number = max, maxDelayUs = 0): Quota {
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
  // Round down: a ceiling of a fraction more would keep a client out for a microsecond longer than a window.
  const ceilingCarry = capacityNum < intervalNum ? 1 : 0
  const effectiveDelayUs = isBucket ? maxDelayUs : 0
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
    // The longest line that patience lets grow must fit, its begun microsecond included.
    ceilingUs: Math.max(capacityUs + windowUs - intervalUs - ceilingCarry, effectiveDelayUs === 0 ? 0 : capacityUs + effectiveDelayUs + (capacityNum > 0 ? 1 : 0)),
    mergeUs: Math.ceil(windowUs / ENTRIES_PER_WINDOW)
  }
}

/** The same numbers for a charge that waits no longer than `maxDelayUs`, at most the patience that `quotaOf` was given. */
export function withMaxDelay<Numbers extends Quota> (quota: Numbers, maxDelayUs: number): Numbers {
  return { ...quota, maxDelayUs }
}

/**
 * An eighth of the doubles' integers, 35 years. An instant (until the year 2112 in epoch microseconds) stays exact
 * with three backlogs on top: the one it has, and a charge of up to two before the ceiling cuts it.
 */
const MAX_BACKLOG_US = 2 ** 50

/** Whether every product and sum that the algorithms form from this quota is an exact integer, below 2^53. */
export function isExact (quota: Quota): boolean {
  return quota.ceilingUs <= MAX_BACKLOG_US &&
    quota.windowUs <= MAX_BACKLOG_US &&
    // Windows count units, and form no products with the interval.
    (quota.algorithm !== 'token-bucket' || (quota.capacity + unitsAhead(quota) + 1) * quota.intervalDen <= Number.MAX_SAFE_INTEGER)
}

/** Units that a backlog may hold beyond the capacity, its last microsecond begun. */
function unitsAhead ({ max, windowUs, maxDelayUs }: Quota): number {
  return maxDelayUs === 0 ? max : Math.max(max, Math.ceil((maxDelayUs + 1) * (max / windowUs)) + 1)
}

function greatestCommonDivisor (a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b]
  return a
}
