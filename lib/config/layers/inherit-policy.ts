import { builtInLimits, hasLimitFields, inheritLimits, freezeLimits, type InheritedLimits } from './inherit-limits.js'
import { getFields, without, type Fields, type OptionNode } from './option-tree.js'

/*
 * What a policy takes from the one below: a rule or a route from the default policy, a tier from its policy. It is what
 * `layPolicy` of the policies does with parsed limits, for options that remember where they were written.
 */

/** The limits of a policy and of its tiers, with all that they take from the policy below. */
export interface InheritedPolicy {
  readonly limits: InheritedLimits
  /** `null` is unlimited. */
  readonly tiers: ReadonlyMap<string, InheritedLimits | null>
}

/** What holds where nobody says anything. */
export const builtInPolicy: InheritedPolicy = { limits: builtInLimits, tiers: new Map() }

/** What a policy's options make of the policy below. */
export function inheritPolicy (base: InheritedPolicy, fields: Fields): InheritedPolicy {
  const limits = inheritLimits(dropOverriddenMode(base.limits, fields), fields)
  const tiers = inheritTiers(base, fields)
  for (const [name, tier] of getFields(fields, 'tiers')) {
    const tierBase = dropOverriddenMode(getTierBase(tiers, name, limits), fields)
    tiers.set(name, tier.kind === 'branch' ? { ...inheritLimits(tierBase, tier.fields), common: limits.common } : null)
  }
  return { limits, tiers }
}

/** The mode of a policy is that of every limit that it inherits. */
function dropOverriddenMode (base: InheritedLimits, fields: Fields): InheritedLimits {
  return fields.has('mode') ? { ...base, limits: base.limits.map((limit) => without(limit, ['mode'])) } : base
}

/** Limits of a policy's own leave no tier of the policy below. */
function inheritTiers ({ tiers }: InheritedPolicy, fields: Fields): Map<string, InheritedLimits | null> {
  const inherited = hasLimitFields(fields) ? [] : tiers
  return new Map(Array.from(inherited, ([name, tier]) => [name, tier === null ? null : dropOverriddenMode(tier, fields)]))
}

function getTierBase (tiers: InheritedPolicy['tiers'], name: string, limits: InheritedLimits): InheritedLimits {
  return { ...(tiers.get(name) ?? limits), common: limits.common }
}

/** A policy's options with every field that its limits, and those of its tiers, take from the policy below. */
export function freezePolicy (base: InheritedPolicy, fields: Fields): Fields {
  return freezeTiers(base, freezeLimits(base.limits, fields))
}

/** The same for the tiers alone. */
export function freezeTiers (base: InheritedPolicy, fields: Fields): Fields {
  const tiers = fields.get('tiers')
  if (tiers?.kind !== 'branch') return fields
  const limits = inheritLimits(base.limits, fields)
  const bases = inheritTiers(base, fields)
  const frozen = Array.from(tiers.fields, ([name, tier]): [string, OptionNode] => [
    name, tier.kind === 'branch' ? { ...tier, fields: freezeLimits(getTierBase(bases, name, limits), tier.fields) } : tier
  ])
  return new Map([...fields, ['tiers', { ...tiers, fields: new Map(frozen) }]])
}
