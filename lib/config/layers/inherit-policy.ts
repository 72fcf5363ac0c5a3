import { builtInLimits, hasLimitFields, layLimits, pinLimits, type LaidLimits } from './inherit-limits.js'
import { fieldsIn, without, type Fields, type Node } from './option-tree.js'

/*
 * What a policy takes from the one below: a rule or a route from the default policy, a tier from its policy. It is what
 * `layPolicy` of the policies does with parsed limits, for options that remember where they were written.
 */

/** The limits of a policy and of its tiers, with all that they take from the policy below. */
export interface LaidPolicy {
  readonly limits: LaidLimits
  /** `null` is unlimited. */
  readonly tiers: ReadonlyMap<string, LaidLimits | null>
}

/** What holds where nobody says anything. */
export const builtInPolicy: LaidPolicy = { limits: builtInLimits, tiers: new Map() }

/** What a policy's options make of the policy below. */
export function layPolicy (below: LaidPolicy, fields: Fields): LaidPolicy {
  const limits = layLimits(belowMode(below.limits, fields), fields)
  const tiers = tiersBelow(below, fields)
  for (const [name, tier] of fieldsIn(fields, 'tiers')) {
    const base = belowMode(tierBelow(tiers, name, limits), fields)
    tiers.set(name, tier.kind === 'branch' ? { ...layLimits(base, tier.fields), common: limits.common } : null)
  }
  return { limits, tiers }
}

/** The mode of a policy is that of every limit that it inherits. */
function belowMode (below: LaidLimits, fields: Fields): LaidLimits {
  return fields.has('mode') ? { ...below, limits: below.limits.map((limit) => without(limit, ['mode'])) } : below
}

/** Limits of a policy's own leave no tier of the policy below. */
function tiersBelow ({ tiers }: LaidPolicy, fields: Fields): Map<string, LaidLimits | null> {
  const inherited = hasLimitFields(fields) ? [] : tiers
  return new Map(Array.from(inherited, ([name, tier]) => [name, tier === null ? null : belowMode(tier, fields)]))
}

function tierBelow (tiers: LaidPolicy['tiers'], name: string, limits: LaidLimits): LaidLimits {
  return { ...(tiers.get(name) ?? limits), common: limits.common }
}

/** A policy's options with every field that its limits, and those of its tiers, take from the policy below. */
export function pinPolicy (below: LaidPolicy, fields: Fields): Fields {
  return pinTiers(below, pinLimits(below.limits, fields))
}

/** The same for the tiers alone. */
export function pinTiers (below: LaidPolicy, fields: Fields): Fields {
  const tiers = fields.get('tiers')
  if (tiers?.kind !== 'branch') return fields
  const limits = layLimits(below.limits, fields)
  const bases = tiersBelow(below, fields)
  const pinned = Array.from(tiers.fields, ([name, tier]): [string, Node] => [
    name, tier.kind === 'branch' ? { ...tier, fields: pinLimits(tierBelow(bases, name, limits), tier.fields) } : tier
  ])
  return new Map([...fields, ['tiers', { ...tiers, fields: new Map(pinned) }]])
}
