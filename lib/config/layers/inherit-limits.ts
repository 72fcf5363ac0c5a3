import { FST_SLUICE_CONTRADICTION } from '../../errors.js'
import { LIMIT_FIELDS, REPLACED_FIELDS } from '../schema/policy-fields.js'
import { defaultedLimit, policyOptions } from '../schema/policy-schema.js'
import {
  getLeafValue, locateSource, pick, without, type Branch, type Fields, type Leaf, type OptionNode, type Source
} from './option-tree.js'

/*
 * Inheritance of limits. The only place with these rules: layers of configuration, the explanation of a policy and the
 * compiled policies all use it.
 */

/** The fields of a single limit, in the order in which a message names them. */
const SINGLE_FIELDS = ['max', 'timeWindow', 'period', 'timeZone', 'anchor', 'burst', 'algorithm', 'by']
/** Fields that also apply to each entry of `limits` without its own. */
const COMMON_FIELDS = ['timeZone', 'algorithm', 'by']
/** Fields of an entry of `limits` that say what requests take from it. */
const COST_FIELDS = ['cost', 'onUnsettled']
/** The fields of a limit by `timeWindow`, and of one by `period`. Each replaces the other. */
const WINDOW_FIELDS = ['timeWindow', 'burst']
const PERIOD_FIELDS = ['period', 'anchor']

/** Limits, with every field that they inherit. */
export interface InheritedLimits {
  /**
   * Each limit: `max`, `timeWindow` or `period`, `algorithm`, `by`, optionally other fields, and the `name` of an entry of `limits`.
   * Its source is the entry, or the options that changed a field of it last.
   */
  readonly limits: readonly Branch[]
  /** Where `limits` is written; `null` for a single limit by `max` and `timeWindow`. */
  readonly list: Source | null
  /** `timeZone`, `algorithm` and `by` of limits without their own. */
  readonly common: Fields
}

const BUILT_IN: Source['layer'] = { name: 'built-in', locate: () => 'built in' }

/** The default of an option, as a layer of its own. */
export function createBuiltIn (option: string, value: unknown): Leaf {
  return { kind: 'leaf', value, source: { layer: BUILT_IN, path: [option] } }
}

const builtInCommon: Fields = new Map([
  ['algorithm', createBuiltIn('algorithm', policyOptions.algorithm.default)],
  ['by', createBuiltIn('by', policyOptions.by.default)]
])

/** The limit of a policy without options: the defaults of the schema. */
export const builtInLimits: InheritedLimits = {
  limits: [{
    kind: 'branch',
    fields: new Map([
      ['max', createBuiltIn('max', defaultedLimit.max.default)],
      ['timeWindow', createBuiltIn('timeWindow', defaultedLimit.timeWindow.default)],
      ...builtInCommon
    ]),
    source: { layer: BUILT_IN, path: [] }
  }],
  list: null,
  common: builtInCommon
}

/** Whether options change the limits themselves, and not only how they are applied. */
export function hasLimitFields (fields: Fields): boolean {
  return LIMIT_FIELDS.some((field) => fields.has(field))
}

/** Whether options define all of their limits, except for the common fields. */
function isComplete (fields: Fields): boolean {
  return fields.has('limits') || (fields.has('max') && (fields.has('timeWindow') || fields.has('period')))
}

/**
 * The limit fields of one policy, where a higher layer changes some.
 *
 * Throws FST_SLUICE_CONTRADICTION with the higher layer's place, if it gives one field and there are several limits.
 */
export function overlayLimits (base: Fields, overlay: Fields): Fields {
  const list = base.get('limits')
  if (isComplete(overlay)) return new Map([...pick(base, COMMON_FIELDS), ...keepCosts(list, pick(overlay, LIMIT_FIELDS))])
  const merged = changeLimit(pick(base, LIMIT_FIELDS), overlay)
  if (list?.kind !== 'list' || !hasLimitFields(overlay)) return merged
  const [only] = list.items
  if (list.items.length > 1) throw createFieldConflict(overlay, `one of the ${list.items.length} limits that a lower layer gives`)
  // The overlay's field applies to all limits, so it replaces the one of the entry.
  const fields = without(changeLimit(only.fields, overlay), COMMON_FIELDS.filter((field) => overlay.has(field)))
  return new Map([...without(merged, REPLACED_FIELDS), ['limits', { ...list, items: [{ ...only, fields }] }]])
}

/**
 * The limits of a higher layer with the costs of the limits of the same names: a layer without code cannot give a function,
 * and without it the limit would count requests.
 */
function keepCosts (base: OptionNode | undefined, fields: Fields): Fields {
  const list = fields.get('limits')
  if (base?.kind !== 'list' || list?.kind !== 'list') return fields
  const items = list.items.map((item) => {
    const name = getLeafValue(item.fields, 'name')
    const lower = base.items.find((one) => getLeafValue(one.fields, 'name') === name)
    return lower === undefined ? item : { ...item, fields: new Map([...pick(lower.fields, COST_FIELDS), ...item.fields]) }
  })
  return new Map([...fields, ['limits', { ...list, items }]])
}

/**
 * The limits of options that inherit from `base`: `limits`, or `max` with `timeWindow`, replace the inherited ones. One
 * field alone changes a single inherited limit.
 *
 * Throws FST_SLUICE_CONTRADICTION with the place of the field, if there are several inherited limits.
 */
export function inheritLimits (base: InheritedLimits, { fields, source }: Branch): InheritedLimits {
  if (!hasLimitFields(fields)) return base
  const common = new Map([...base.common, ...pick(fields, COMMON_FIELDS)])
  const list = fields.get('limits')
  if (list?.kind === 'list') {
    return { limits: list.items.map((item) => ({ ...item, fields: new Map([...common, ...item.fields]) })), list: list.source, common }
  }
  if (isComplete(fields)) {
    return { limits: [{ kind: 'branch', fields: new Map([...common, ...pick(fields, SINGLE_FIELDS)]), source }], list: null, common }
  }
  const [only, ...others] = base.limits
  if (others.length > 0) throw createFieldConflict(fields, `one of the ${base.limits.length} inherited limits`)
  // The mode belongs to the inherited limit: with it, a changed limit beside a shadow limit would never refuse.
  return { limits: [{ kind: 'branch', fields: changeLimit(without(only.fields, ['mode']), fields), source }], list: base.list, common }
}

/**
 * Options with every limit field that they inherit written out, so that they stay the same when the base changes.
 * Options without limit fields have no limits of their own and are returned unchanged.
 */
export function freezeLimits (base: InheritedLimits, options: Branch): Fields {
  const { fields } = options
  if (!hasLimitFields(fields)) return fields
  if (isComplete(fields)) return new Map([...base.common, ...fields])
  const { limits, list, common } = inheritLimits(base, options)
  const frozen: Fields = list === null
    ? limits[0].fields
    : new Map([...common, ['limits', { kind: 'list', items: limits.map((limit) => ({ ...limit, source: list })), source: list }]])
  return new Map([...without(fields, LIMIT_FIELDS), ...frozen])
}

/** A limit with some of its fields changed. */
function changeLimit (limit: Fields, changes: Fields): Map<string, OptionNode> {
  const replaced = [...changes.has('period') ? WINDOW_FIELDS : [], ...changes.has('timeWindow') ? PERIOD_FIELDS : []]
  const changed = new Map([...without(limit, replaced), ...pick(changes, SINGLE_FIELDS)])
  const { max, burst } = Object.fromEntries(changes)
  if (dropsBurst({ max, burst, algorithm: getLeafValue(changes, 'algorithm') })) changed.delete('burst')
  return changed
}

/** New values of a limit, each `undefined` if it does not change. */
interface LimitChanges {
  readonly max?: unknown
  readonly burst?: unknown
  readonly algorithm?: unknown
}

/**
 * Whether changes of a limit drop its burst. A burst written for another `max` would loosen the limit, and only token
 * buckets have a burst.
 */
export function dropsBurst ({ max, burst, algorithm }: LimitChanges): boolean {
  return burst === undefined && (max !== undefined || (algorithm !== undefined && algorithm !== 'token-bucket'))
}

function createFieldConflict (fields: Fields, what: string): Error {
  const given = SINGLE_FIELDS.find((field) => fields.has(field)) ?? 'max'
  const node = fields.get(given)
  const place = node === undefined ? given : locateSource(node.source)
  return new FST_SLUICE_CONTRADICTION(place, `cannot change ${what}; give both max and timeWindow, or limits`)
}
