import type { FastifyRequest } from 'fastify'
import type { Algorithm } from '../algorithms/quota.js'
import type { Client } from '../model/client.js'
import { badOption } from '../config/schema/check.js'
import { DURATION_EXPECTED, durationMs } from '../config/schema/durations.js'
import type { LimitOptions, TierOptions } from '../config/schema/policy-schema.js'
import { FST_SLUICE_CONTRADICTION } from '../errors.js'
import type { PartitionBy } from '../stores/store.js'

/** A number of a limit, or what works it out for each request. */
export type PerRequest<T> = (request: FastifyRequest, client: Client) => T

/** A limit with every default filled in. */
export interface LimitDraft {
  readonly name: string
  readonly max: number | PerRequest<number>
  readonly windowMs: number | PerRequest<number | string>
  readonly algorithm: Algorithm
  /** `null`: as much as `max`. */
  readonly burst: number | null
  readonly by: PartitionBy
  readonly mode: 'enforce' | 'shadow'
  /** Where it was written, for messages. */
  readonly place: string
}

/** What limits are laid over. */
export interface BaseLimits {
  readonly limits: readonly LimitDraft[]
  readonly options: { readonly algorithm: Algorithm, readonly by: PartitionBy, readonly mode: 'enforce' | 'shadow' }
}

/** Fields of options that make limits. */
type LimitFields = TierOptions & { readonly mode?: 'enforce' | 'shadow' }

/** The name of the limit that `max` and `timeWindow` stand for. */
const SINGLE_LIMIT = 'default'

/** What holds where nobody says anything: 1000 requests a minute and client. */
export const builtInLimit: LimitDraft = {
  name: SINGLE_LIMIT, max: 1000, windowMs: 60_000, algorithm: 'token-bucket', burst: null, by: 'client', mode: 'enforce', place: 'built in'
}

/** Whether options change the limits, and not only what is done with them. */
export function hasLimitFields (options: LimitFields): boolean {
  return options.limits !== undefined || hasSingleFields(options)
}

function hasSingleFields (options: LimitFields): boolean {
  return options.max !== undefined || options.timeWindow !== undefined || options.burst !== undefined ||
    options.algorithm !== undefined || options.by !== undefined
}

/**
 * Lay the limits of options over those below: `limits`, or `max` with `timeWindow`, replace them whole; one field alone
 * changes a single limit. Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION with the place.
 */
export function mergeLimits (base: BaseLimits, options: LimitFields, place: string): readonly LimitDraft[] {
  if (options.limits !== undefined) return mergeLimitList(base, options, options.limits, place)
  const limits = hasSingleFields(options) ? [mergeSingleLimit(base, options, place)] : base.limits
  const { mode } = options
  return mode === undefined ? limits : limits.map((limit) => ({ ...limit, mode }))
}

function mergeLimitList (base: BaseLimits, options: LimitFields, limitList: readonly LimitOptions[], place: string): readonly LimitDraft[] {
  for (const field of ['max', 'timeWindow', 'burst'] as const) {
    if (options[field] !== undefined) throw new FST_SLUICE_CONTRADICTION(`${place}.${field}`, 'contradicts limits; put it into one of them')
  }
  const indexByName = new Map<string, number>()
  return limitList.map((limit, index) => {
    const where = `${place}.limits[${index}]`
    const twin = indexByName.get(limit.name)
    if (twin !== undefined) throw new FST_SLUICE_CONTRADICTION(`${where}.name`, `limits[${twin}] has the name "${limit.name}" already`)
    indexByName.set(limit.name, index)
    const algorithm = limit.algorithm ?? options.algorithm ?? base.options.algorithm
    return {
      name: limit.name,
      max: limit.max,
      windowMs: parseWindow(limit.timeWindow, where),
      algorithm,
      burst: parseBurst(limit.burst, algorithm, where),
      by: limit.by ?? options.by ?? base.options.by,
      mode: limit.mode ?? options.mode ?? base.options.mode,
      place: where
    }
  })
}

function mergeSingleLimit (base: BaseLimits, options: LimitFields, place: string): LimitDraft {
  const isComplete = options.max !== undefined && options.timeWindow !== undefined
  const baseLimit = base.limits.length === 1 && !isComplete ? base.limits[0] : createSingleLimit(base, options, place)
  const algorithm = options.algorithm ?? baseLimit.algorithm
  // A new max means a new burst: a burst that was written for another max would loosen this one.
  const inheritedBurst = options.max === undefined && algorithm === 'token-bucket' ? baseLimit.burst : null
  return {
    ...baseLimit,
    max: options.max ?? baseLimit.max,
    windowMs: options.timeWindow === undefined ? baseLimit.windowMs : parseWindow(options.timeWindow, place),
    algorithm,
    burst: parseBurst(options.burst, algorithm, place) ?? inheritedBurst,
    by: options.by ?? baseLimit.by,
    // Of the layer, not of the limit below: next to one that is on trial there, a limit of one's own would never refuse.
    mode: options.mode ?? base.options.mode,
    place
  }
}

/** What a limit of its own starts from: `max` with `timeWindow` replaces the limits below whole, a field alone does not. */
function createSingleLimit (base: BaseLimits, options: LimitFields, place: string): LimitDraft {
  if (options.max === undefined || options.timeWindow === undefined) {
    const given = (['max', 'timeWindow', 'burst', 'algorithm', 'by'] as const).find((field) => options[field] !== undefined)
    throw new FST_SLUICE_CONTRADICTION(`${place}.${given}`, `cannot change one of the ${base.limits.length} inherited limits; give both max and timeWindow, or limits`)
  }
  const { algorithm, by, mode } = base.options
  return { ...builtInLimit, algorithm, by, mode }
}

function parseWindow (value: LimitOptions['timeWindow'], place: string): LimitDraft['windowMs'] {
  if (typeof value === 'function') return value
  const ms = durationMs(value)
  if (ms === null) throw badOption(`${place}.timeWindow`, DURATION_EXPECTED, value)
  return ms
}

function parseBurst (burst: number | undefined, algorithm: Algorithm, place: string): number | null {
  if (burst === undefined) return null
  if (algorithm !== 'token-bucket') throw new FST_SLUICE_CONTRADICTION(`${place}.burst`, `belongs to a token bucket, and this limit is a ${algorithm}`)
  return burst
}
