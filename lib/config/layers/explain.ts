import type { TSchema } from '@sinclair/typebox'
import { createBuiltIn, hasLimitFields, LIMIT_FIELDS } from './inherit-limits.js'
import { builtInPolicy, inheritPolicy, type InheritedPolicy } from './inherit-policy.js'
import { getFields, getItems, getLeafValue, pick, locateSource, without, type Fields, type OptionNode, type SourceName } from './option-tree.js'
import type { MergedOptions } from './merge.js'
import { policyOptions, type RouteRateLimit } from '../schema/policy-schema.js'
import { RateLimitOptionsSchema } from '../schema/options-schema.js'

/** One option as it holds, and which layer says so. Serialisable. */
export interface ExplainedOption {
  /** As it is written in the policy: `max`, `limits[0].max`, `penalty.strikes`. */
  readonly option: string
  /** A function is shown as `a function`; where Redis is, is not shown. */
  readonly value: unknown
  readonly from: SourceName
  readonly place: string
}

/** A policy, or the limits of one of its tiers. */
export interface PolicyName {
  /** `null` is the default policy. */
  readonly rule: string | null
  /** `null` is whoever has a tier without limits here. */
  readonly tier: string | null
}

/** A route's config, checked already, and where it is written. */
export interface OwnConfig {
  readonly options: RouteRateLimit
  readonly place: string
}

/** What a policy says beside its limits and tiers, in order. */
const SHARED_FIELDS = Object.keys(policyOptions).filter((key) => key !== 'tiers' && !LIMIT_FIELDS.includes(key))
/** What may hold a password. */
const SECRET_OPTIONS = ['redis', 'log.hashSecret']
const RULE_FIELDS = ['match', 'methods', 'override']
const LIMIT_ITEM_FIELDS = ['name', 'max', 'timeWindow', 'burst', 'algorithm', 'by', 'mode']

const policySchemas: Readonly<Record<string, TSchema>> = policyOptions
const pluginSchemas: Readonly<Record<string, TSchema>> = RateLimitOptionsSchema.properties
const offByDefault: Fields = new Map(['throttle', 'penalty'].map((key) => [key, createBuiltIn(key, false)]))

/** Every policy and tier that the layers make: the default policy first, then the rules in order. */
export function listPolicies ({ root }: MergedOptions): PolicyName[] {
  const rules = getItems(root, 'rules').map(({ fields }) => fields)
  return [null, ...rules].flatMap((fields) => {
    const rule = fields === null ? null : String(getLeafValue(fields, 'name'))
    const { tiers } = inheritChain(fields === null ? [root.fields] : [root.fields, fields])
    return [null, ...tiers.keys()].map((tier) => ({ rule, tier }))
  })
}

/**
 * What holds under a policy, each value with the layer that it comes from: also what it takes from the default policy,
 * and what is built in. A tier without limits of its own has those of its policy.
 *
 * `own`: a route's config, where the policy is one of its own, or its rule's. `null` where there is no such rule.
 */
export function explainPolicy (merged: MergedOptions, { rule, tier }: PolicyName, own: OwnConfig | null = null): ExplainedOption[] | null {
  const ruleFields = rule === null ? null : getItems(merged.root, 'rules').find(({ fields }) => getLeafValue(fields, 'name') === rule)?.fields
  if (ruleFields === undefined) return null
  const chain = buildChain(merged.root.fields, ruleFields, own === null ? null : merged.buildRouteTree(own.options, own.place).fields)
  return [
    ...RULE_FIELDS.flatMap((key) => explainNode(key, ruleFields?.get(key), undefined)),
    ...explainLimits(chain, tier),
    ...explainShared(chain)
  ]
}

/** What holds for the whole registration, as `explainPolicy` tells it for a policy. */
export function explainPlugin ({ root }: MergedOptions): ExplainedOption[] {
  const keys = Object.keys(pluginSchemas).filter((key) => key !== 'rules' && !Object.hasOwn(policyOptions, key))
  return keys.flatMap((key) => explainNode(key, root.fields.get(key), pluginSchemas[key]))
}

/** Options in the order in which they are laid: a route's limits give way to its rule's, and all that it says to one with `override`. */
function buildChain (root: Fields, rule: Fields | null, own: Fields | null): Fields[] {
  if (rule === null) return own === null ? [root] : [root, own]
  if (own === null) return [root, rule]
  const rest = without(own, [...LIMIT_FIELDS, 'tiers', 'groupId'])
  return getLeafValue(rule, 'override') === true ? [root, rest, rule] : [root, rule, rest]
}

function inheritChain (chain: readonly Fields[]): InheritedPolicy {
  return chain.reduce(inheritPolicy, builtInPolicy)
}

function explainLimits (chain: readonly Fields[], tier: string | null): ExplainedOption[] {
  const inherited = inheritChain(chain)
  const tierLimits = tier === null ? undefined : inherited.tiers.get(tier)
  if (tierLimits === null) {
    const given = chain.findLast((fields) => getFields(fields, 'tiers').has(String(tier)))
    return explainNode(`tiers.${tier}`, given === undefined ? given : getFields(given, 'tiers').get(String(tier)), undefined)
  }
  const { limits, list } = tierLimits ?? inherited.limits
  return limits.flatMap((limit, index) => LIMIT_ITEM_FIELDS.flatMap((key) => {
    return explainNode(list === null ? key : `limits[${index}].${key}`, limit.get(key), undefined)
  }))
}

function explainShared (chain: readonly Fields[]): ExplainedOption[] {
  const shared = chain.reduce<Fields>((base, fields) => {
    // What belongs to the limits below goes with them.
    const inherited = hasLimitFields(fields) ? without(base, ['refundOn', 'groupId']) : base
    return new Map([...inherited, ...pick(fields, SHARED_FIELDS)])
  }, offByDefault)
  return SHARED_FIELDS.flatMap((key) => explainNode(key, shared.get(key), policySchemas[key]))
}

/** `schema` tells what is built in where nothing is given. */
function explainNode (option: string, node: OptionNode | undefined, schema: TSchema | undefined): ExplainedOption[] {
  if (node?.kind === 'leaf') return [{ option, value: SECRET_OPTIONS.includes(option) ? '(not shown)' : toJsonValue(node.value), from: node.source.layer.name, place: locateSource(node.source) }]
  if (node === undefined && schema?.default !== undefined) return explainNode(option, createBuiltIn(option, schema.default), undefined)
  const fields: Fields = node?.kind === 'branch' ? node.fields : new Map()
  const inner = Object.entries(fieldSchemas(schema, node !== undefined))
  return inner.flatMap(([key, field]) => explainNode(`${option}.${key}`, fields.get(key), field))
}

/** The fields of an object; of one that may also be a word, only where it is given. */
function fieldSchemas (schema: TSchema | undefined, isGiven: boolean): Readonly<Record<string, TSchema>> {
  const forms: readonly TSchema[] = isGiven ? schema?.anyOf ?? [schema] : [schema]
  return forms.find((form) => form?.properties !== undefined)?.properties ?? {}
}

/** A value that JSON can hold. */
function toJsonValue (value: unknown): unknown {
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return value.map(toJsonValue)
  return typeof value === 'object' && value !== null ? 'an object' : value
}
