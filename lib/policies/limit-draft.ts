import type { Algorithm, QuotaAlgorithm } from '../algorithms/quota.js'
import { locateSource, toOptions, type Branch } from '../config/layers/option-tree.js'
import { requireDurationMs } from '../config/schema/check.js'
import { createDuplicateNameError, findDuplicateNames } from '../config/schema/duplicate-names.js'
import type { CostFunction, PerRequest } from '../config/schema/functions.js'
import { REPLACED_FIELDS } from '../config/schema/policy-fields.js'
import type { LeaseOptions, LimitOptions, TierOptions } from '../config/schema/policy-schema.js'
import { FST_SLUICE_CONTRADICTION } from '../errors.js'
import type { PartitionBy } from '../stores/store.js'
import { LONGEST_PERIOD_MS, parsePeriod, type PeriodDraft } from './period-draft.js'

/** A limit with every inherited and default value. */
export interface LimitDraft {
  readonly name: string
  readonly max: number | PerRequest<number>
  /** Of a limit with a `period`, its longest length. */
  readonly windowMs: number | PerRequest<number | string>
  readonly algorithm: QuotaAlgorithm
  /** `null` for a limit by `timeWindow`. */
  readonly period: PeriodDraft | null
  /** `null`: as much as `max`. */
  readonly burst: number | null
  readonly by: PartitionBy
  readonly mode: 'enforce' | 'shadow'
  /** `null`: as its policy. */
  readonly cost: number | CostFunction | null
  /** Whether the units of a request are refunded that was not settled when its response ended. */
  readonly refundsUnsettled: boolean
  /** `null`: as its policy. */
  readonly leases: LeaseOptions | null
  /** Where it was written, for messages. */
  readonly place: string
}

/** A limit as inheritance leaves it. Only an entry of `limits` has a name. */
type InheritedLimit = Omit<LimitOptions, 'name'> & Required<Pick<LimitOptions, 'algorithm' | 'by'>> & { readonly name?: string }

/** The name of the limit by `max` and `timeWindow`. */
const SINGLE_LIMIT = 'default'

/** Check that `limits` contradicts no other option and has no name twice. Throws FST_SLUICE_CONTRADICTION with the place. */
export function checkLimitList (options: TierOptions, place: string): void {
  const { limits } = options
  if (limits === undefined) return
  const given = REPLACED_FIELDS.find((field) => options[field] !== undefined)
  if (given !== undefined) throw new FST_SLUICE_CONTRADICTION(`${place}.${given}`, 'contradicts limits; put it into one of them')
  const [duplicate] = findDuplicateNames(limits.map(({ name }) => name))
  if (duplicate === undefined) return
  const { index, firstIndex, name } = duplicate
  throw createDuplicateNameError(`${place}.limits[${index}].name`, `limits[${firstIndex}]`, name)
}

/**
 * Parse a limit with its inherited fields. `mode`: of its policy.
 *
 * Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION with the place.
 */
export function parseLimit (limit: Branch, mode: LimitDraft['mode']): LimitDraft {
  const place = locateSource(limit.source)
  const given = toOptions(limit) as InheritedLimit
  const { name = SINGLE_LIMIT, max, timeWindow, algorithm, by, mode: ownMode = mode, cost = null, leases = null } = given
  const common = { name, max, by, mode: ownMode, cost, refundsUnsettled: given.onUnsettled === 'refund', leases, place }
  const period = parsePeriod(limit, given)
  if (period !== null) return { ...common, windowMs: LONGEST_PERIOD_MS[period.unit], algorithm: 'calendar-window', period, burst: null }
  const windowMs = typeof timeWindow === 'function' ? timeWindow : requireDurationMs(timeWindow, `${place}.timeWindow`)
  return { ...common, windowMs, algorithm, period, burst: parseBurst(given.burst, algorithm, place) }
}

function parseBurst (burst: number | undefined, algorithm: Algorithm, place: string): number | null {
  if (burst === undefined) return null
  if (algorithm === 'token-bucket') return burst
  throw new FST_SLUICE_CONTRADICTION(`${place}.burst`, `belongs to a token bucket, and this limit is a ${algorithm}`)
}
