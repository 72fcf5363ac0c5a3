import { hasLimitFields, type InheritedLimits } from '../config/layers/inherit-limits.js'
import { builtInPolicy, inheritPolicy, type InheritedPolicy } from '../config/layers/inherit-policy.js'
import { getFields, toObject, toPolicyTree } from '../config/layers/option-tree.js'
import type { RouteRateLimit } from '../config/schema/policy-schema.js'
import { FST_SLUICE_CONTRADICTION } from '../errors.js'
import { checkLimitList, parseLimit, type LimitDraft } from './limit-draft.js'

/** Options that every policy has: their defaults are inherited. */
type AlwaysGiven = 'mode' | 'cost' | 'hook' | 'failureMode' | 'throttle' | 'penalty'

/** Options of a policy that are no limits, with all that it inherits. */
type SharedOptions = Omit<RouteRateLimit, AlwaysGiven> & Required<Pick<RouteRateLimit, AlwaysGiven>>

/** The limits of one tier, and the scope of their buckets. */
export interface TierDraft {
  readonly scope: string
  readonly limits: readonly LimitDraft[]
}

/** A policy before it is compiled: its options, with all that they inherit. */
export interface PolicyDraft {
  readonly scope: string
  readonly limits: readonly LimitDraft[]
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
  const ownTiers = getFields(tree.fields, 'tiers')
  const tiers = new Map(Array.from(inherited.tiers, ([name, tier]) => {
    const inheritedScope = ownTiers.has(name) ? undefined : base.tiers.get(name)?.scope
    return [name, tier === null ? null : { scope: group ?? inheritedScope ?? ownScope, limits: parseLimits(tier, options) }]
  }))
  if (hasLimits && typeof given.penalty === 'object') checkPenalty([{ scope, limits }, ...tiers.values()], place)
  // A policy that refuses at once must not shorten the queue of another policy with the same buckets.
  const sharedThrottle = scope === base.scope && options.throttle === false ? base.sharedThrottle : options.throttle
  return { scope, limits, tiers, options, sharedThrottle, inherited }
}

/** An inherited penalty may have nothing to count here. One beside limits that it cannot count is a mistake. */
function checkPenalty (all: ReadonlyArray<TierDraft | null>, place: string): void {
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
