import { FST_SLUICE_CONTRADICTION } from '../../errors.js'
import { pick, locateSource, without, type Fields, type Leaf, type OptionNode, type Source } from './option-tree.js'
import { defaultedLimit, policyOptions } from '../schema/policy-schema.js'

/*
 * How the limits of a policy come about: by layers, of which the later one wins, and from the policy below, of which a
 * policy takes what it does not say itself. The second is what `layLimits` of the policies does with parsed limits.
 */

/** What stands for one limit, in the order in which a message names them. */
const SINGLE_FIELDS = ['max', 'timeWindow', 'burst', 'algorithm', 'by']
/** What also holds for each of `limits` that does not say otherwise. */
const COMMON_FIELDS = ['algorithm', 'by']
export const LIMIT_FIELDS: readonly string[] = ['limits', ...SINGLE_FIELDS]

/** Limits with all that a policy takes from the one below. */
export interface InheritedLimits {
  /** Fields of each limit: `max`, `timeWindow`, `algorithm`, `by`, perhaps `burst`, and of `limits` its `name` and perhaps its `mode`. */
  readonly limits: readonly Fields[]
  /** Where `limits` stands; `null` where `max` and `timeWindow` stand for a single limit. */
  readonly list: Source | null
  /** `algorithm` and `by` of limits that do not say otherwise. */
  readonly common: Fields
}

const BUILT_IN: Source['layer'] = { name: 'built-in', locate: () => 'built in' }

/** What holds where nobody says anything, as a layer of its own. */
export function createBuiltIn (option: string, value: unknown): Leaf {
  return { kind: 'leaf', value, source: { layer: BUILT_IN, path: [option] } }
}

const builtInCommon: Fields = new Map([
  ['algorithm', createBuiltIn('algorithm', policyOptions.algorithm.default)],
  ['by', createBuiltIn('by', policyOptions.by.default)]
])

/** 1000 requests a minute and client. */
export const builtInLimits: InheritedLimits = {
  limits: [new Map([
    ['max', createBuiltIn('max', defaultedLimit.max.default)],
    ['timeWindow', createBuiltIn('timeWindow', defaultedLimit.timeWindow.default)],
    ...builtInCommon
  ])],
  list: null,
  common: builtInCommon
}

/** Whether options change the limits, and not only what is done with them. */
export function hasLimitFields (fields: Fields): boolean {
  return LIMIT_FIELDS.some((field) => fields.has(field))
}

/** Whether options say all of their limits themselves, but for `algorithm` and `by`. */
function isComplete (fields: Fields): boolean {
  return fields.has('limits') || (fields.has('max') && fields.has('timeWindow'))
}

/**
 * The limit fields of a policy under those that a higher layer gives to it. Throws FST_SLUICE_CONTRADICTION, with the
 * higher layer's place, where one field is given and there are several limits.
 */
export function overlayLimits (base: Fields, overlay: Fields): Fields {
  if (isComplete(overlay)) return new Map([...pick(base, COMMON_FIELDS), ...pick(overlay, LIMIT_FIELDS)])
  const list = base.get('limits')
  const merged = applyFields(pick(base, LIMIT_FIELDS), overlay)
  if (list?.kind !== 'list' || !hasLimitFields(overlay)) return merged
  const [only] = list.items
  if (list.items.length > 1) throw createFieldConflict(overlay, `one of the ${list.items.length} limits that a lower layer gives`)
  // Not the limit's own word, then, but the one for all of them.
  const fields = without(applyFields(only.fields, overlay), COMMON_FIELDS.filter((field) => overlay.has(field)))
  return new Map([...without(merged, ['max', 'timeWindow', 'burst']), ['limits', { ...list, items: [{ ...only, fields }] }]])
}

/** What a policy's limits are over those of the policy below. Throws FST_SLUICE_CONTRADICTION as compiling would. */
export function inheritLimits (base: InheritedLimits, fields: Fields): InheritedLimits {
  if (!hasLimitFields(fields)) return base
  const common = new Map([...base.common, ...pick(fields, COMMON_FIELDS)])
  const list = fields.get('limits')
  if (list?.kind === 'list') return { limits: list.items.map((item) => new Map([...common, ...item.fields])), list: list.source, common }
  if (isComplete(fields)) return { limits: [new Map([...common, ...pick(fields, SINGLE_FIELDS)])], list: null, common }
  if (base.limits.length > 1) throw createFieldConflict(fields, `one of the ${base.limits.length} inherited limits`)
  // Its mode is a matter of the policy below: next to a limit on trial, one of one's own would never refuse.
  return { limits: [applyFields(without(base.limits[0], ['mode']), fields)], list: base.list, common }
}

/**
 * A policy's options with the fields that its limits take from the policy below, so that they stay what they are when
 * that one changes. Options without limit fields have no limits of their own, and stay as they are.
 */
export function freezeLimits (base: InheritedLimits, fields: Fields): Fields {
  if (!hasLimitFields(fields)) return fields
  if (isComplete(fields)) return new Map([...base.common, ...fields])
  const { limits, list, common } = inheritLimits(base, fields)
  const frozen: Fields = list === null
    ? limits[0]
    : new Map([...common, ['limits', { kind: 'list', items: limits.map((limit) => ({ kind: 'branch', fields: limit, source: list })), source: list }]])
  return new Map([...without(fields, LIMIT_FIELDS), ...frozen])
}

/** A limit with some of its fields changed. */
function applyFields (limit: Fields, fields: Fields): Map<string, OptionNode> {
  const merged = new Map([...limit, ...pick(fields, SINGLE_FIELDS)])
  const algorithm = fields.get('algorithm')
  const isOtherKind = algorithm?.kind === 'leaf' && algorithm.value !== 'token-bucket'
  // A burst that was written for another max would loosen this one, and only token buckets have any.
  if (!fields.has('burst') && (fields.has('max') || isOtherKind)) merged.delete('burst')
  return merged
}

function createFieldConflict (fields: Fields, what: string): Error {
  const given = SINGLE_FIELDS.find((field) => fields.has(field)) ?? 'max'
  const node = fields.get(given)
  return new FST_SLUICE_CONTRADICTION(node === undefined ? given : locateSource(node.source), `cannot change ${what}; give both max and timeWindow, or limits`)
}
