import type { TSchema } from '@sinclair/typebox'
import { fillFields, type Resolved } from './fill-defaults.js'
import type { ResolvedIdentify } from './identity-schema.js'
import type { ResolvedLog } from './log-schema.js'
import { RateLimitOptionsSchema, type RateLimitOptions } from './options-schema.js'
import { policySchemas, SHARED_FIELDS } from './policy-fields.js'
import type { RouteRateLimit } from './policy-schema.js'
import type { ResolvedRecord } from './record-schema.js'

/*
 * Defaults are in the schemas, as `default`, and nowhere else. They are filled in here, after all layers are merged: earlier, a
 * default could not be distinguished from a given value.
 */

type PluginDefaults = 'global' | 'enabled' | 'ipv6Subnet' | 'keyPrefix' | 'deadline' | 'connections' | 'maxPending' | 'reloadOnSignal' |
  'admin' | 'openapi' | 'headers' | 'resetFormat'

/** Options of the plugin with their defaults. Those of its policy are as they were given: policies resolve them later. */
export type ResolvedOptions = Omit<Resolved<RateLimitOptions, PluginDefaults>, 'memory' | 'breaker' | 'identify' | 'log' | 'record'> & {
  readonly memory: Required<NonNullable<RateLimitOptions['memory']>>
  readonly breaker: Required<NonNullable<RateLimitOptions['breaker']>>
  readonly identify: ResolvedIdentify
  readonly log: ResolvedLog
  readonly record: ResolvedRecord
}

type PolicyDefaults = 'cost' | 'mode' | 'hook' | 'failureMode'

type Nested = 'enforce' | 'throttle' | 'penalty' | 'leases' | 'concurrency'

/** Options of a policy that are no limits, with their defaults. */
export type ResolvedPolicyOptions = Omit<Resolved<RouteRateLimit, PolicyDefaults>, Nested> & {
  readonly enforce: Required<NonNullable<RouteRateLimit['enforce']>>
  readonly throttle: false | Required<Exclude<RouteRateLimit['throttle'], false | undefined>>
  readonly leases: false | Required<Exclude<RouteRateLimit['leases'], boolean | undefined>>
  readonly penalty: false | Required<Exclude<RouteRateLimit['penalty'], false | undefined>>
  readonly concurrency: false | ResolvedConcurrency
}

type GivenConcurrency = Exclude<RouteRateLimit['concurrency'], false | undefined>
type GivenQueue = Exclude<GivenConcurrency['queue'], false | undefined>

/** The option `concurrency` with its defaults. `max` may be missing: no default is right. */
export type ResolvedConcurrency = Omit<Resolved<GivenConcurrency, 'by' | 'lease' | 'min' | 'limit'>, 'queue'> & {
  readonly queue: false | Required<GivenQueue>
}

/** Schemas of the options that are no options of a policy. */
const pluginSchemas: Readonly<Record<string, TSchema>> = Object.fromEntries(
  Object.entries(RateLimitOptionsSchema.properties).filter(([key]) => !Object.hasOwn(policySchemas, key))
)

const sharedSchemas: Readonly<Record<string, TSchema>> = Object.fromEntries(SHARED_FIELDS.map((key) => [key, policySchemas[key]]))

/** Merged and checked options of the plugin, with every default of the schema. */
export function resolveOptions (options: RateLimitOptions): ResolvedOptions {
  return fillFields(pluginSchemas, options) as ResolvedOptions
}

/** Options of one policy with all that it inherits, with every default of the schema. */
export function resolvePolicyOptions (options: RouteRateLimit): ResolvedPolicyOptions {
  return fillFields(sharedSchemas, options) as ResolvedPolicyOptions
}
