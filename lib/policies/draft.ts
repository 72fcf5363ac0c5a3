import type { Algorithm } from '../algorithms/quota.js'
import { badOption } from '../config/check.js'
import { DURATION_EXPECTED, durationMs } from '../config/durations.js'
import type { LimitOptions, RouteRateLimit } from '../config/schema.js'
import { FST_SLUICE_CONTRADICTION } from '../errors.js'
import type { PartitionBy } from '../stores/store.js'

/** A limit with every default filled in. */
export interface LimitDraft {
  readonly name: string
  readonly max: number
  readonly windowMs: number
  readonly algorithm: Algorithm
  /** `null`: as much as `max`. */
  readonly burst: number | null
  readonly by: PartitionBy
  readonly mode: 'enforce' | 'shadow'
  /** Where it was written, for messages. */
  readonly place: string
}

type Inherited = Required<Pick<RouteRateLimit, 'algorithm' | 'by' | 'mode' | 'cost' | 'hook' | 'failureMode'>> &
  Pick<RouteRateLimit, 'keyGenerator' | 'errorResponseBuilder' | 'onExceeding' | 'onExceeded'>

/** A policy before it is compiled: what a layer of options says over the layer below it. */
export interface PolicyDraft {
  readonly scope: string
  readonly limits: readonly LimitDraft[]
  readonly options: Inherited
}

/** The name of the limit that `max` and `timeWindow` stand for. */
const SINGLE_LIMIT = 'default'

/** What holds where nobody says anything: 1000 requests a minute and client. */
export const builtInDraft: PolicyDraft = {
  scope: 'default',
  limits: [{ name: SINGLE_LIMIT, max: 1000, windowMs: 60_000, algorithm: 'token-bucket', burst: null, by: 'client', mode: 'enforce', place: 'built in' }],
  options: { algorithm: 'token-bucket', by: 'client', mode: 'enforce', cost: 1, hook: 'onRequest', failureMode: 'local' }
}

/**
 * Lay options over a draft, field by field. Options with limit fields of their own get buckets of their own
 * (`ownScope`); those without keep the limits below and their buckets.
 *
 * Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION with the place.
 */
export function layPolicy (below: PolicyDraft, options: RouteRateLimit, ownScope: string, place: string): PolicyDraft {
  return {
    scope: scopeOf(below, options, ownScope),
    limits: layLimits(below, options, place),
    options: { ...below.options, ...withoutUndefined(options) }
  }
}

function scopeOf (below: PolicyDraft, options: RouteRateLimit, ownScope: string): string {
  if (options.groupId !== undefined) return `group:${options.groupId}`
  return hasLimitFields(options) ? ownScope : below.scope
}

/** Whether options change the limits, and not only what is done with them. */
export function hasLimitFields (options: RouteRateLimit): boolean {
  return options.limits !== undefined || hasSingleFields(options)
}

function hasSingleFields (options: RouteRateLimit): boolean {
  return options.max !== undefined || options.timeWindow !== undefined || options.burst !== undefined ||
    options.algorithm !== undefined || options.by !== undefined
}

function layLimits (below: PolicyDraft, options: RouteRateLimit, place: string): readonly LimitDraft[] {
  if (options.limits !== undefined) return laySeveral(below, options, options.limits, place)
  const limits = hasSingleFields(options) ? [laySingle(below, options, place)] : below.limits
  const { mode } = options
  return mode === undefined ? limits : limits.map((limit) => ({ ...limit, mode }))
}

function laySeveral (below: PolicyDraft, options: RouteRateLimit, several: readonly LimitOptions[], place: string): readonly LimitDraft[] {
  for (const field of ['max', 'timeWindow', 'burst'] as const) {
    if (options[field] !== undefined) throw new FST_SLUICE_CONTRADICTION(`${place}.${field}`, 'contradicts limits; put it into one of them')
  }
  const indexOfName = new Map<string, number>()
  return several.map((limit, index) => {
    const where = `${place}.limits[${index}]`
    const twin = indexOfName.get(limit.name)
    if (twin !== undefined) throw new FST_SLUICE_CONTRADICTION(`${where}.name`, `limits[${twin}] has the name "${limit.name}" already`)
    indexOfName.set(limit.name, index)
    const algorithm = limit.algorithm ?? options.algorithm ?? below.options.algorithm
    return {
      name: limit.name,
      max: limit.max,
      windowMs: windowOf(limit.timeWindow, where),
      algorithm,
      burst: burstOf(limit.burst, algorithm, where),
      by: limit.by ?? options.by ?? below.options.by,
      mode: limit.mode ?? options.mode ?? below.options.mode,
      place: where
    }
  })
}

function laySingle (below: PolicyDraft, options: RouteRateLimit, place: string): LimitDraft {
  const isWhole = options.max !== undefined && options.timeWindow !== undefined
  const base = below.limits.length === 1 && !isWhole ? below.limits[0] : singleOf(below, options, place)
  const algorithm = options.algorithm ?? base.algorithm
  // A new max means a new burst: a burst that was written for another max would loosen this one.
  const inheritedBurst = options.max === undefined && algorithm === 'token-bucket' ? base.burst : null
  return {
    ...base,
    max: options.max ?? base.max,
    windowMs: options.timeWindow === undefined ? base.windowMs : windowOf(options.timeWindow, place),
    algorithm,
    burst: burstOf(options.burst, algorithm, place) ?? inheritedBurst,
    by: options.by ?? base.by,
    mode: options.mode ?? base.mode,
    place
  }
}

/** What a limit of its own starts from: `max` with `timeWindow` replaces the limits below whole, a field alone does not. */
function singleOf (below: PolicyDraft, options: RouteRateLimit, place: string): LimitDraft {
  if (options.max === undefined || options.timeWindow === undefined) {
    const given = (['max', 'timeWindow', 'burst', 'algorithm', 'by'] as const).find((field) => options[field] !== undefined)
    throw new FST_SLUICE_CONTRADICTION(`${place}.${given}`, `cannot change one of the ${below.limits.length} inherited limits; give both max and timeWindow, or limits`)
  }
  const { algorithm, by, mode } = below.options
  return { ...builtInDraft.limits[0], algorithm, by, mode }
}

function windowOf (value: number | string, place: string): number {
  const ms = durationMs(value)
  if (ms === null) throw badOption(`${place}.timeWindow`, DURATION_EXPECTED, value)
  return ms
}

function burstOf (burst: number | undefined, algorithm: Algorithm, place: string): number | null {
  if (burst === undefined) return null
  if (algorithm !== 'token-bucket') throw new FST_SLUICE_CONTRADICTION(`${place}.burst`, `belongs to a token bucket, and this limit is a ${algorithm}`)
  return burst
}

function withoutUndefined<T extends object> (options: T): Partial<T> {
  const given: Partial<T> = { ...options }
  for (const key in given) {
    if (given[key] === undefined) delete given[key]
  }
  return given
}
