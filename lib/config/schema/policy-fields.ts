import type { TSchema } from '@sinclair/typebox'
import { limitOptions, policyOptions } from './policy-schema.js'

/** Schemas of the options of a policy, by name. */
export const policySchemas: Readonly<Record<string, TSchema>> = policyOptions

/** Options that define limits. */
export const LIMIT_FIELDS: readonly string[] = Object.keys(limitOptions)

/** Options of a tier that are no limits by rate. */
export const TIER_SHARED_FIELDS = ['concurrency', 'priority'] as const

/** Options of a single limit. `limits` takes their place, so both together are an error. */
export const REPLACED_FIELDS = ['max', 'timeWindow', 'period', 'anchor', 'burst'] as const

/** Options of a policy that are no limits, in the order of the schema. */
export const SHARED_FIELDS: readonly string[] = Object.keys(policyOptions).filter((key) => key !== 'tiers' && !LIMIT_FIELDS.includes(key))

/** Options that decide which buckets a request is charged to. */
export const BUCKET_FIELDS: readonly string[] = [...LIMIT_FIELDS, 'tiers', 'groupId']

/** Whether options define limits or name buckets. Undefined options count as absent. */
export function hasBucketFields (options: object): boolean {
  return BUCKET_FIELDS.some((field) => Reflect.get(options, field) !== undefined)
}

/** Options without those that define limits or name buckets. */
export function withoutBucketFields<T extends object> (options: T): Partial<T> {
  const rest: Partial<T> = { ...options }
  for (const key in rest) {
    if (BUCKET_FIELDS.includes(key)) delete rest[key]
  }
  return rest
}
