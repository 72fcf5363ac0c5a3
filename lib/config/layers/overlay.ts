import { hasLimitFields, LIMIT_FIELDS, overlayLimits } from './inherit-limits.js'
import { builtInPolicy, inheritPolicy, freezePolicy, freezeTiers } from './inherit-policy.js'
import { getFields, getItems, getLeafValue, without, type Branch, type Fields, type OptionNode } from './option-tree.js'

/*
 * Each policy is layered by itself: the default policy, each rule, each tier. So what a higher layer says of one changes
 * no other that has limits of its own, also where these take a field from the policy that is changed.
 */

/**
 * Options under those of a higher layer.
 *
 * Throws FST_SLUICE_CONTRADICTION, with the higher layer's place, where it gives one field of a limit and there are several.
 */
export function mergeTrees (base: Branch, overlay: Branch): Branch {
  const lowerTree = definesLimits(overlay.fields) || getItems(overlay, 'rules').some(({ fields }) => definesLimits(fields)) ? freezePolicies(base) : base
  const merged = overlayPolicy(lowerTree, overlay)
  const rules = overlayRules(getItems(lowerTree, 'rules'), getItems(overlay, 'rules'))
  const list = lowerTree.fields.get('rules') ?? overlay.fields.get('rules')
  if (list === undefined) return merged
  return { ...merged, fields: new Map([...merged.fields, ['rules', { kind: 'list', items: rules, source: list.source }]]) }
}

/** Whether options say anything that another policy may take its limits from. */
export function definesLimits (fields: Fields): boolean {
  return hasLimitFields(fields) || getFields(fields, 'tiers').size > 0
}

/** Options whose policies keep their own limits, whatever happens to the one that they took a field from. */
function freezePolicies (root: Branch): Branch {
  const base = inheritPolicy(builtInPolicy, root.fields)
  const fields = new Map(freezeTiers(builtInPolicy, root.fields))
  const rules = root.fields.get('rules')
  if (rules?.kind === 'list') fields.set('rules', { ...rules, items: rules.items.map((rule) => ({ ...rule, fields: freezePolicy(base, rule.fields) })) })
  return { ...root, fields }
}

/** Rules by name; new ones come after those of the layers below. */
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
    tiers.set(name, isBoth ? { ...lower, fields: overlayLimits(lower.fields, tier.fields) } : tier)
  }
  return { ...base, fields: tiers }
}

/** Field by field, also in what both give as an object; everything else is replaced. */
function overlayFields (base: Fields, overlay: Fields): Map<string, OptionNode> {
  const merged = new Map(base)
  for (const [key, node] of overlay) {
    const lower = merged.get(key)
    const isBoth = lower?.kind === 'branch' && node.kind === 'branch'
    merged.set(key, isBoth ? { ...lower, fields: overlayFields(lower.fields, node.fields) } : node)
  }
  return merged
}
