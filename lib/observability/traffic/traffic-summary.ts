import { isRecord } from '../../common/type-guards.js'

/**
 * What one instance has counted, in as few characters as it can be. As JSON at most `MAX_SUMMARY_BYTES` long, however many
 * routes, tiers, limits and clients there are. `mergeTraffic` reads it.
 */
export interface TrafficSummary {
  readonly version: 1
  /** Number of the last step since 1970. It is not over yet. */
  readonly step: number
  readonly series: readonly SeriesSummary[]
  readonly limits: readonly LimitSummary[]
  /** Of so many requests, one is looked at. */
  readonly sampled: number
  readonly clients: readonly ClientSummary[]
  /** At most so many requests and refusals has a client that is not listed. */
  readonly unlisted: readonly [requests: number, refused: number]
}

/** The counts are texts of `encodeCounts`. */
export type SeriesSummary = readonly [route: string, tier: string, allowed: string, refused: string, other: string]

export type LimitSummary = readonly [
  bucket: string,
  mode: 'enforce' | 'shadow',
  max: number,
  /** Milliseconds, the unit of a period, or `concurrency`. */
  window: number | string,
  inFlight: number | null,
  canSimulate: 0 | 1,
  refused: number,
  bound: number,
  utilisation: readonly number[]
]

export type ClientSummary = readonly [
  partition: string, isHashed: 0 | 1, requests: number, refused: number, error: number, lastStep: number
]

/** The longest summary as JSON in UTF-8. */
export const MAX_SUMMARY_BYTES = 14_000

/** Whether a value of a JSON document is a summary. That of another version of the plugin may not be. */
export function isTrafficSummary (value: unknown): value is TrafficSummary {
  if (!isRecord(value) || value.version !== 1) return false
  const { step, series, limits, sampled, clients, unlisted } = value
  return isCount(step) && isCount(sampled) &&
    isListOf(series, (one) => hasTypes(one, 'string string string string string')) &&
    isListOf(limits, isLimitSummary) &&
    isListOf(clients, (one) => hasTypes(one, 'string number number number number number')) &&
    hasTypes(unlisted, 'number number')
}

function isLimitSummary (one: unknown): boolean {
  if (!Array.isArray(one) || one.length !== 9) return false
  const [bucket, mode, max, window, inFlight, ...counts]: unknown[] = one
  return typeof bucket === 'string' && (mode === 'enforce' || mode === 'shadow') && isCount(max) &&
    (isCount(window) || typeof window === 'string') && (inFlight === null || isCount(inFlight)) &&
    hasTypes(counts.slice(0, 3), 'number number number') && isListOf(counts[3], isCount)
}

function isCount (value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

function isListOf (value: unknown, isOne: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isOne)
}

/** Whether a value is an array of these types. */
function hasTypes (value: unknown, types: string): boolean {
  return Array.isArray(value) && value.map((one) => isCount(one) ? 'number' : typeof one).join(' ') === types
}
