import { hasLimitFields, type InheritedLimits } from '../config/layers/inherit-limits.js'
import { builtInPolicy, inheritPolicy, type InheritedPolicy, type InheritedTier } from '../config/layers/inherit-policy.js'
import { getFields, overlayFields, toObject, toPolicyTree } from '../config/layers/option-tree.js'
import type { ConcurrencyOptions } from '../config/schema/concurrency-schema.js'
import type { RouteRateLimit, TierOptions } from '../config/schema/policy-schema.js'
import { FST_SLUICE_CONTRADICTION } from '../errors.js'
import { checkConcurrencyFields } from './check-concurrency.js'
import { checkLimitList, parseLimit, type LimitDraft } from './limit-draft.js'

/** Options that every policy has: their defaults are inherited. */
type AlwaysGiven = 'mode' | 'cost' | 'hook' | 'failureMode' | 'throttle' | 'penalty' | 'concurrency'

/** Options of a policy that are no limits, with all that it inherits. */
type SharedOptions = Omit<RouteRateLimit, AlwaysGiven> & Required<Pick<RouteRateLimit, AlwaysGiven>>

/** The limits of one tier, and the scope of their buckets. */
export interface TierDraft {
  readonly scope: string
  readonly limits: readonly LimitDraft[]
  readonly concurrency: ConcurrencyDraft
}

/** The concurrency limit of a policy or a tier, with all that it inherits. */
export interface ConcurrencyDraft {
  readonly options: ConcurrencyOptions
  /** The scope of the options that gave it last: policies that inherit it share its slots. */
  readonly scope: string
  /** The tier that it belongs to; `null` for the clients of all tiers without their own. */
  readonly tier: string | null
  /** Under an adaptive limit, requests of lower ones are refused first. */
  readonly priority: number
}

/** A policy before it is compiled: its options, with all that they inherit. */
export interface PolicyDraft {
  readonly scope: string
  readonly limits: readonly LimitDraft[]
  readonly concurrency: ConcurrencyDraft
  /** `null` is unlimited. */
  readonly tiers: ReadonlyMap<string, TierDraft | null>
  readonly options: SharedOptions
  /** The throttle that these buckets are queued for. A policy that shares the buckets may itself have none. */
  readonly sharedThrottle: SharedOptions['throttle']
  /** What policies inherit from this one. */
  readonly inherited: InheritedPolicy
}

const builtInOptions = toSharedOptions(builtInPolicy)

/** The policy without options: the defaults of the schema. */
export const builtInDraft: PolicyDraft = {
  scope: 'default',
  limits: parseLimits(builtInPolicy.limits, builtInOptions),
  concurrency: { options: builtInOptions.concurrency, scope: 'default', tier: null, priority: 0 },
  tiers: new Map(),
  options: builtInOptions,
  sharedThrottle: builtInOptions.throttle,
  inherited: builtInPolicy
}

/**
 * The policy of options that inherit from `base`, field by field. Options with limit fields get buckets of their own
 * (`ownScope`). Options without them share the limits and the buckets of `base`.
 *
 * Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION with the place.
 */
export function mergePolicy (base: PolicyDraft, given: RouteRateLimit, ownScope: string, place: string): PolicyDraft {
  checkLimitList(given, place)
  for (const [name, tier] of Object.entries(given.tiers ?? {})) {
    if (tier !== false) checkLimitList(tier, `${place}.tiers.${name}`)
  }
  const tree = toPolicyTree(given, place)
  const hasLimits = hasLimitFields(tree.fields)
  const inherited = inheritPolicy(base.inherited, tree)
  const options = toSharedOptions(inherited)
  const group = given.groupId === undefined ? null : `group:${given.groupId}`
  const scope = group ?? (hasLimits ? ownScope : base.scope)
  const limits = parseLimits(inherited.limits, options)
  const concurrencyScope = given.concurrency === undefined ? base.concurrency.scope : group ?? ownScope
  checkConcurrencyFields(given.concurrency, options.concurrency, `${place}.concurrency`)
  const concurrency = { options: options.concurrency, scope: concurrencyScope, tier: null, priority: 0 }
  const ownTiers = getFields(tree.fields, 'tiers')
  const tiers = new Map(Array.from(inherited.tiers, ([name, tier]): [string, TierDraft | null] => {
    if (tier === null) return [name, null]
    const inheritedTier = ownTiers.has(name) ? undefined : base.tiers.get(name)
    const tierScope = group ?? inheritedTier?.scope ?? ownScope
    const { priority = 0 } = toObject(tier.shared) as TierOptions
    const slotScope = inheritedTier?.concurrency.scope ?? tierScope
    const toOwnConcurrency = () => ({ options: toTierConcurrency(inherited, tier), scope: slotScope, tier: name })
    const ownTier = given.tiers?.[name]
    if (ownTier) checkConcurrencyFields(ownTier.concurrency, toTierConcurrency(inherited, tier), `${place}.tiers.${name}.concurrency`)
    return [name, {
      scope: tierScope,
      limits: parseLimits(tier, options),
      concurrency: { ...(tier.shared.has('concurrency') ? toOwnConcurrency() : concurrency), priority }
    }]
  }))
  if (hasLimits && typeof given.penalty === 'object') checkPenalty([{ limits }, ...tiers.values()], place)
  // A policy that refuses at once must not shorten the queue of another policy with the same buckets.
  const sharedThrottle = scope === base.scope && options.throttle === false ? base.sharedThrottle : options.throttle
  return { scope, limits, concurrency, tiers, options, sharedThrottle, inherited }
}

/** The option of a tier takes precedence over that of its policy, field by field. */
function toTierConcurrency ({ shared }: InheritedPolicy, tier: InheritedTier): ConcurrencyOptions {
  return (toObject(overlayFields(shared, tier.shared)) as SharedOptions).concurrency
}

/** An inherited penalty may have nothing to count here. One beside limits that it cannot count is a mistake. */
function checkPenalty (all: ReadonlyArray<Pick<TierDraft, 'limits'> | null>, place: string): void {
  if (all.some((limited) => limited?.limits.some(({ by }) => by !== 'global') === true)) return
  const message = 'would block no client: a limit by "global" belongs to no client; add a limit by "client", or set penalty: false'
  throw new FST_SLUICE_CONTRADICTION(`${place}.penalty`, message)
}

function parseLimits ({ limits }: InheritedLimits, { mode }: SharedOptions): LimitDraft[] {
  return limits.map((limit) => parseLimit(limit, mode))
}

function toSharedOptions ({ shared }: InheritedPolicy): SharedOptions {
  return toObject(shared) as SharedOptions
}
