import { hasLimitFields, LIMIT_FIELDS, overlayLimits } from './inherit-limits.js'
import { builtInPolicy, layPolicy, pinPolicy, pinTiers } from './inherit-policy.js'
import { fieldsIn, itemsOf, leafOf, without, type Branch, type Fields, type Node } from './option-tree.js'

/*
 * Each policy is layered by itself: the default policy, each rule, each tier. So what a higher layer says of one changes
 * no other that has limits of its own, also where these take a field from the policy that is changed.
 */

/**
 * Options under those of a higher layer.
 *
 * Throws FST_SLUICE_CONTRADICTION, with the higher layer's place, where it gives one field of a limit and there are several.
 */
export function layTree (below: Branch, above: Branch): Branch {
  const ground = saysLimits(above.fields) || itemsOf(above, 'rules').some(({ fields }) => saysLimits(fields)) ? pinned(below) : below
  const laid = overlayPolicy(ground, above)
  const rules = overlayRules(itemsOf(ground, 'rules'), itemsOf(above, 'rules'))
  const list = ground.fields.get('rules') ?? above.fields.get('rules')
  if (list === undefined) return laid
  return { ...laid, fields: new Map([...laid.fields, ['rules', { kind: 'list', items: rules, source: list.source }]]) }
}

/** Whether options say anything that another policy may take its limits from. */
export function saysLimits (fields: Fields): boolean {
  return hasLimitFields(fields) || fieldsIn(fields, 'tiers').size > 0
}

/** Options whose policies keep their own limits, whatever happens to the one that they took a field from. */
function pinned (root: Branch): Branch {
  const base = layPolicy(builtInPolicy, root.fields)
  const fields = new Map(pinTiers(builtInPolicy, root.fields))
  const rules = root.fields.get('rules')
  if (rules?.kind === 'list') fields.set('rules', { ...rules, items: rules.items.map((rule) => ({ ...rule, fields: pinPolicy(base, rule.fields) })) })
  return { ...root, fields }
}

/** Rules by name; new ones come after those of the layers below. */
function overlayRules (below: readonly Branch[], above: readonly Branch[]): Branch[] {
  const rules = new Map(below.map((rule) => [leafOf(rule.fields, 'name'), rule]))
  for (const rule of above) {
    const name = leafOf(rule.fields, 'name')
    const lower = rules.get(name)
    rules.set(name, lower === undefined ? rule : overlayPolicy(lower, rule))
  }
  return [...rules.values()]
}

function overlayPolicy (below: Branch, above: Branch): Branch {
  const fields = overlayFields(without(below.fields, LIMIT_FIELDS), without(above.fields, LIMIT_FIELDS))
  const [tiers, higher] = [below.fields.get('tiers'), above.fields.get('tiers')]
  if (tiers?.kind === 'branch' && higher?.kind === 'branch') fields.set('tiers', overlayTiers(tiers, higher))
  return { ...below, fields: new Map([...fields, ...overlayLimits(below.fields, above.fields)]) }
}

function overlayTiers (below: Branch, above: Branch): Branch {
  const tiers = new Map(below.fields)
  for (const [name, tier] of above.fields) {
    const lower = tiers.get(name)
    const isBoth = lower?.kind === 'branch' && tier.kind === 'branch'
    tiers.set(name, isBoth ? { ...lower, fields: overlayLimits(lower.fields, tier.fields) } : tier)
  }
  return { ...below, fields: tiers }
}

/** Field by field, also in what both give as an object; everything else is replaced. */
function overlayFields (below: Fields, above: Fields): Map<string, Node> {
  const laid = new Map(below)
  for (const [key, node] of above) {
    const lower = laid.get(key)
    const isBoth = lower?.kind === 'branch' && node.kind === 'branch'
    laid.set(key, isBoth ? { ...lower, fields: overlayFields(lower.fields, node.fields) } : node)
  }
  return laid
}
