import { LIMIT_FIELDS, TIER_SHARED_FIELDS } from '../schema/policy-fields.js'
import { hasLimitFields, overlayLimits } from './inherit-limits.js'
import { builtInPolicy, freezePolicy, freezeTiers, inheritPolicy } from './inherit-policy.js'
import { getFields, getItems, getLeafValue, overlayFields, pick, without, type Branch, type Fields } from './option-tree.js'

/*
 * Layers over each other. Each policy is layered on its own: the default policy, each rule, each tier. A higher layer that
 * changes one policy changes no other with limits of its own, even if that one inherits a field from the changed policy.
 */

/**
 * Options of the layers so far, with those of the next higher layer over them.
 *
 * Throws FST_SLUICE_CONTRADICTION with the higher layer's place, if it gives one field of a limit and there are several.
 */
export function mergeTrees (base: Branch, overlay: Branch): Branch {
  const changesLimits = definesLimits(overlay.fields) || getItems(overlay, 'rules').some(({ fields }) => definesLimits(fields))
  const lowerTree = changesLimits ? freezePolicies(base) : base
  const merged = overlayPolicy(lowerTree, overlay)
  const rules = overlayRules(getItems(lowerTree, 'rules'), getItems(overlay, 'rules'))
  const list = lowerTree.fields.get('rules') ?? overlay.fields.get('rules')
  if (list === undefined) return merged
  return { ...merged, fields: new Map([...merged.fields, ['rules', { kind: 'list', items: rules, source: list.source }]]) }
}

/** Whether options contain anything from which another policy may inherit limits. */
export function definesLimits (fields: Fields): boolean {
  return hasLimitFields(fields) || getFields(fields, 'tiers').size > 0
}

/** Options whose policies keep their own limits when the policy changes that they inherit from. */
function freezePolicies (root: Branch): Branch {
  const base = inheritPolicy(builtInPolicy, root)
  const fields = new Map(freezeTiers(builtInPolicy, root).fields)
  const rules = root.fields.get('rules')
  if (rules?.kind === 'list') fields.set('rules', { ...rules, items: rules.items.map((rule) => freezePolicy(base, rule)) })
  return { ...root, fields }
}

/** Rules by name. New ones follow those of the lower layers. */
function overlayRules (base: readonly Branch[], overlay: readonly Branch[]): Branch[] {
  const rules = new Map(base.map((rule) => [getLeafValue(rule.fields, 'name'), rule]))
  for (const rule of overlay) {
    const name = getLeafValue(rule.fields, 'name')
    const lower = rules.get(name)
    rules.set(name, lower === undefined ? rule : overlayPolicy(lower, rule))
  }
  return [...rules.values()]
}

function overlayPolicy (base: Branch, overlay: Branch): Branch {
  const fields = overlayFields(without(base.fields, LIMIT_FIELDS), without(overlay.fields, LIMIT_FIELDS))
  const [tiers, higher] = [base.fields.get('tiers'), overlay.fields.get('tiers')]
  if (tiers?.kind === 'branch' && higher?.kind === 'branch') fields.set('tiers', overlayTiers(tiers, higher))
  return { ...base, fields: new Map([...fields, ...overlayLimits(base.fields, overlay.fields)]) }
}

function overlayTiers (base: Branch, overlay: Branch): Branch {
  const tiers = new Map(base.fields)
  for (const [name, tier] of overlay.fields) {
    const lower = tiers.get(name)
    const isBoth = lower?.kind === 'branch' && tier.kind === 'branch'
    tiers.set(name, isBoth ? { ...lower, fields: overlayTier(lower.fields, tier.fields) } : tier)
  }
  return { ...base, fields: tiers }
}

function overlayTier (base: Fields, overlay: Fields): Fields {
  const shared = overlayFields(pick(base, TIER_SHARED_FIELDS), pick(overlay, TIER_SHARED_FIELDS))
  return new Map([...overlayLimits(base, overlay), ...shared])
}
