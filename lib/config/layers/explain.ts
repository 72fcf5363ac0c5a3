import type { TSchema } from '@sinclair/typebox'
import { createBuiltIn } from './inherit-limits.js'
import { builtInPolicy, inheritPolicy, type InheritedPolicy } from './inherit-policy.js'
import {
  getFields, getItems, getLeafValue, locateSource, overlayFields, without, type Branch, type Fields, type OptionNode, type SourceName
} from './option-tree.js'
import type { MergedOptions } from './merge.js'
import { BUCKET_FIELDS, policySchemas, SHARED_FIELDS } from '../schema/policy-fields.js'
import type { RouteRateLimit } from '../schema/policy-schema.js'
import { RateLimitOptionsSchema } from '../schema/options-schema.js'

/** One effective option, and the layer that gives it. Serialisable. */
export interface ExplainedOption {
  /** As it is written in the policy: `max`, `limits[0].max`, `penalty.strikes`. */
  readonly option: string
  /** A function is shown as `a function`. The address of Redis is not shown. */
  readonly value: unknown
  readonly from: SourceName
  readonly place: string
}

/** A policy, or the limits of one of its tiers. */
export interface PolicyName {
  /** `null` is the default policy. */
  readonly rule: string | null
  /** `null` is every tier without limits in the policy. */
  readonly tier: string | null
}

/** The checked config of a route, and where it is written. */
export interface OwnConfig {
  readonly options: RouteRateLimit
  readonly place: string
}

/** Options that may contain a password. */
const SECRET_OPTIONS = ['redis', 'log.hashSecret']
const RULE_FIELDS = ['match', 'methods', 'override']
const LIMIT_ITEM_FIELDS = [
  'name', 'max', 'timeWindow', 'period', 'timeZone', 'anchor', 'burst', 'algorithm', 'by', 'cost', 'onUnsettled', 'mode', 'leases'
]

const pluginSchemas: Readonly<Record<string, TSchema>> = RateLimitOptionsSchema.properties

/** Every policy and tier of the layers: the default policy first, then the rules in order. */
export function listPolicies ({ root }: MergedOptions): PolicyName[] {
  return [null, ...getItems(root, 'rules')].flatMap((branch) => {
    const rule = branch === null ? null : String(getLeafValue(branch.fields, 'name'))
    const { tiers } = inheritChain(branch === null ? [root] : [root, branch])
    return [null, ...tiers.keys()].map((tier) => ({ rule, tier }))
  })
}

/**
 * Every option of a policy, each value with the layer that it comes from. Inherited and built-in values are included. A
 * tier without limits of its own has those of its policy.
 *
 * `own`: the config of a route, if the policy is the route's own, or its rule's. Returns `null` if there is no such rule.
 */
export function explainPolicy (merged: MergedOptions, { rule, tier }: PolicyName, own: OwnConfig | null = null): ExplainedOption[] | null {
  const ruleBranch = rule === null ? null : getItems(merged.root, 'rules').find(({ fields }) => getLeafValue(fields, 'name') === rule)
  if (ruleBranch === undefined) return null
  const chain = buildChain(merged.root, ruleBranch, own === null ? null : merged.buildRouteTree(own.options, own.place))
  const inherited = inheritChain(chain)
  const tierShared = tier === null ? undefined : inherited.tiers.get(tier)?.shared
  const shared = tierShared === undefined ? inherited.shared : overlayFields(inherited.shared, tierShared)
  return [
    ...RULE_FIELDS.flatMap((key) => explainNode(key, ruleBranch?.fields.get(key), undefined)),
    ...explainLimits(chain, inherited, tier),
    ...SHARED_FIELDS.flatMap((key) => explainNode(key, shared.get(key), policySchemas[key])),
    ...explainNode('priority', tierShared?.get('priority'), undefined)
  ]
}

/** The options of the whole registration, explained like those of a policy. */
export function explainPlugin ({ root }: MergedOptions): ExplainedOption[] {
  const keys = Object.keys(pluginSchemas).filter((key) => key !== 'rules' && !Object.hasOwn(policySchemas, key))
  return keys.flatMap((key) => explainNode(key, root.fields.get(key), pluginSchemas[key]))
}

/**
 * Options in the order of inheritance. The limits of a rule replace those of the route. A rule with `override` replaces every
 * option of the route that it has itself.
 */
function buildChain (root: Branch, rule: Branch | null, own: Branch | null): Branch[] {
  if (rule === null) return own === null ? [root] : [root, own]
  if (own === null) return [root, rule]
  const rest = { ...own, fields: without(own.fields, BUCKET_FIELDS) }
  return getLeafValue(rule.fields, 'override') === true ? [root, rest, rule] : [root, rule, rest]
}

function inheritChain (chain: readonly Branch[]): InheritedPolicy {
  return chain.reduce(inheritPolicy, builtInPolicy)
}

function explainLimits (chain: readonly Branch[], inherited: InheritedPolicy, tier: string | null): ExplainedOption[] {
  const tierLimits = tier === null ? undefined : inherited.tiers.get(tier)
  if (tierLimits === null) {
    const given = chain.map(({ fields }) => getFields(fields, 'tiers').get(String(tier))).findLast((node) => node !== undefined)
    return explainNode(`tiers.${tier}`, given, undefined)
  }
  const { limits, list } = tierLimits ?? inherited.limits
  return limits.flatMap(({ fields }, index) => LIMIT_ITEM_FIELDS.flatMap((key) => {
    const node = findEffective(fields, key)
    return explainNode(list === null ? key : `limits[${index}].${key}`, node, node === undefined ? undefined : policySchemas[key])
  }))
}

/** A field of a limit, if it applies: a period has a time zone and no algorithm of the options, and other limits have no time zone. */
function findEffective (fields: Fields, key: string): OptionNode | undefined {
  const hasPeriod = fields.has('period')
  if (key === 'algorithm' && hasPeriod) return undefined
  if (key !== 'timeZone') return fields.get(key)
  return hasPeriod ? fields.get(key) ?? createBuiltIn(key, policySchemas[key].default) : undefined
}

/** `schema`: its default is the value of an absent option. */
function explainNode (option: string, node: OptionNode | undefined, schema: TSchema | undefined): ExplainedOption[] {
  if (node?.kind === 'leaf') {
    const value = SECRET_OPTIONS.includes(option) ? '(not shown)' : toJsonValue(node.value)
    return [{ option, value, from: node.source.layer.name, place: locateSource(node.source) }]
  }
  if (node === undefined && schema?.default !== undefined) return explainNode(option, createBuiltIn(option, schema.default), undefined)
  const fields: Fields = node?.kind === 'branch' ? node.fields : new Map()
  const inner = Object.entries(fieldSchemas(schema, node !== undefined))
  return inner.flatMap(([key, field]) => explainNode(`${option}.${key}`, fields.get(key), field))
}

/** The fields of an object. If other values are allowed too, only of an object that is given. */
function fieldSchemas (schema: TSchema | undefined, isGiven: boolean): Readonly<Record<string, TSchema>> {
  const forms: readonly TSchema[] = isGiven ? schema?.anyOf ?? [schema] : [schema]
  return forms.find((form) => form?.properties !== undefined)?.properties ?? {}
}

/** A value that JSON can contain. */
function toJsonValue (value: unknown): unknown {
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return value.map(toJsonValue)
  return typeof value === 'object' && value !== null ? 'an object' : value
}
