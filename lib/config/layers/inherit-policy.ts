import { policySchemas, SHARED_FIELDS, TIER_SHARED_FIELDS } from '../schema/policy-fields.js'
import { builtInLimits, createBuiltIn, freezeLimits, hasLimitFields, inheritLimits, type InheritedLimits } from './inherit-limits.js'
import { getFields, overlayFields, pick, without, type Branch, type Fields, type OptionNode } from './option-tree.js'

/*
 * Inheritance between policies: a rule or a route inherits from the default policy, a tier from its policy. Each value
 * keeps the place where it was written.
 */

/** A tier, with all that it inherits. */
export interface InheritedTier extends InheritedLimits {
  /** Options of the tier that take precedence over those of its policy: `concurrency`. And its `priority`. */
  readonly shared: Fields
}

/** A policy, with all that it inherits. */
export interface InheritedPolicy {
  readonly limits: InheritedLimits
  /** `null` is unlimited. */
  readonly tiers: ReadonlyMap<string, InheritedTier | null>
  /** Every option that is no limit: `cost`, `mode`, `penalty`, `refundOn`, ... */
  readonly shared: Fields
}

const builtInShared: Fields = new Map(SHARED_FIELDS.flatMap((field) => {
  const value: unknown = policySchemas[field].default
  return value === undefined ? [] : [[field, createBuiltIn(field, value)] as const]
}))

/** A policy without options: the defaults of the schema. */
export const builtInPolicy: InheritedPolicy = { limits: builtInLimits, tiers: new Map(), shared: builtInShared }

/**
 * The policy of options that inherit from `base`.
 *
 * Throws FST_SLUICE_CONTRADICTION with the place of the field, if it changes one of several inherited limits.
 */
export function inheritPolicy (base: InheritedPolicy, options: Branch): InheritedPolicy {
  const { fields } = options
  const limits = inheritLimits(dropOverriddenMode(base.limits, fields), options)
  const tiers = inheritTiers(base, fields)
  for (const [name, tier] of getFields(fields, 'tiers')) {
    const tierBase = dropOverriddenMode(getTierBase(tiers, name, limits), fields)
    tiers.set(name, tier.kind === 'branch' ? inheritTier(tierBase, tier, tiers.get(name)?.shared ?? NO_FIELDS, limits) : null)
  }
  return { limits, tiers, shared: inheritShared(base.shared, fields) }
}

/** Field by field. Only a group is not inherited by own limits, since it names the buckets of the inherited ones. */
function inheritShared (base: Fields, fields: Fields): Fields {
  const inherited = hasLimitFields(fields) ? without(base, ['groupId']) : base
  return overlayFields(inherited, pick(fields, SHARED_FIELDS))
}

/** The mode of a policy applies to every limit that it inherits. */
function dropOverriddenMode (base: InheritedLimits, fields: Fields): InheritedLimits {
  if (!fields.has('mode')) return base
  return { ...base, limits: base.limits.map((limit) => ({ ...limit, fields: without(limit.fields, ['mode']) })) }
}

const NO_FIELDS: Fields = new Map()

function inheritTier (base: InheritedLimits, tier: Branch, shared: Fields, { common }: InheritedLimits): InheritedTier {
  return { ...inheritLimits(base, tier), common, shared: overlayFields(shared, pick(tier.fields, TIER_SHARED_FIELDS)) }
}

/**
 * A policy with limits of its own inherits no tier: a loose inherited tier would loosen these limits. One with an option of
 * its own that tiers may have too does not inherit that of the tiers.
 */
function inheritTiers ({ tiers }: InheritedPolicy, fields: Fields): Map<string, InheritedTier | null> {
  const inherited = hasLimitFields(fields) ? [] : tiers
  return new Map(Array.from(inherited, ([name, tier]) => {
    return [name, tier === null ? null : { ...dropOverriddenMode(tier, fields), shared: without(tier.shared, [...fields.keys()]) }]
  }))
}

function getTierBase (tiers: InheritedPolicy['tiers'], name: string, limits: InheritedLimits): InheritedLimits {
  return { ...(tiers.get(name) ?? limits), common: limits.common }
}

/** Options with every limit field that they, or their tiers, inherit written out. */
export function freezePolicy (base: InheritedPolicy, options: Branch): Branch {
  return freezeTiers(base, { ...options, fields: freezeLimits(base.limits, options) })
}

/** The same for the tiers alone. */
export function freezeTiers (base: InheritedPolicy, options: Branch): Branch {
  const { fields } = options
  const tiers = fields.get('tiers')
  if (tiers?.kind !== 'branch') return options
  const limits = inheritLimits(base.limits, options)
  const bases = inheritTiers(base, fields)
  const frozen = Array.from(tiers.fields, ([name, tier]): [string, OptionNode] => [
    name, tier.kind === 'branch' ? { ...tier, fields: freezeLimits(getTierBase(bases, name, limits), tier) } : tier
  ])
  return { ...options, fields: new Map([...fields, ['tiers', { ...tiers, fields: new Map(frozen) }]]) }
}
