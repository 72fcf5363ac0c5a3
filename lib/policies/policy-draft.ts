import type { RouteRateLimit } from '../config/schema/policy-schema.js'
import { FST_SLUICE_CONTRADICTION } from '../errors.js'
import { builtInLimit, hasLimitFields, mergeLimits, type LimitDraft } from './limit-draft.js'

type Inherited = Required<Pick<RouteRateLimit, 'algorithm' | 'by' | 'mode' | 'cost' | 'hook' | 'failureMode'>> &
  Pick<RouteRateLimit, 'keyGenerator' | 'errorResponseBuilder' | 'onExceeding' | 'onExceeded' | 'onBlocked' | 'refundOn' | 'enforce' | 'throttle' | 'penalty'>

/** The limits of one tier, and whose buckets they are. */
export interface TierDraft {
  readonly scope: string
  readonly limits: readonly LimitDraft[]
}

/** A policy before it is compiled: what a layer of options says over the layer below it. */
export interface PolicyDraft {
  readonly scope: string
  readonly limits: readonly LimitDraft[]
  /** `null` is unlimited. */
  readonly tiers: ReadonlyMap<string, TierDraft | null>
  readonly options: Inherited
  /** The throttle whose line these buckets must hold; whoever shares them need not wait in it himself. */
  readonly sharedThrottle: RouteRateLimit['throttle']
}

/** What holds where nobody says anything. */
export const builtInDraft: PolicyDraft = {
  scope: 'default',
  limits: [builtInLimit],
  tiers: new Map(),
  options: { algorithm: 'token-bucket', by: 'client', mode: 'enforce', cost: 1, hook: 'onRequest', failureMode: 'local' },
  sharedThrottle: false
}

/**
 * Lay options over a draft, field by field. Options with limit fields of their own get buckets of their own
 * (`ownScope`); those without keep the limits below and their buckets.
 *
 * Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION with the place.
 */
export function mergePolicy (base: PolicyDraft, options: RouteRateLimit, ownScope: string, place: string): PolicyDraft {
  const limits = mergeLimits(base, options, place)
  const scope = selectScope(base, options, ownScope)
  const merged = { ...inheritOptions(base, options), ...withoutUndefined(options) }
  // Who refuses at once must not cut the line of those who wait in the same buckets.
  const sharedThrottle = scope === base.scope && merged.throttle === false ? base.sharedThrottle : merged.throttle
  const draft = { scope, limits, options: merged, sharedThrottle }
  const tiers = mergeTiers(base, draft, options, ownScope, place)
  checkPenalty(limits, tiers, options, place)
  return { ...draft, tiers }
}

/** One that is inherited may strike nobody under limits of a layer's own; who writes both has mistaken what strikes. */
function checkPenalty (limits: PolicyDraft['limits'], tiers: PolicyDraft['tiers'], options: RouteRateLimit, place: string): void {
  if (typeof options.penalty !== 'object' || !hasLimitFields(options)) return
  const all = [...limits, ...Array.from(tiers.values(), (tier) => tier?.limits ?? []).flat()]
  if (all.every(({ by }) => by === 'global')) {
    throw new FST_SLUICE_CONTRADICTION(`${place}.penalty`, 'would block nobody: a limit by "global" is nobody\'s own; add one by "client", or set penalty: false')
  }
}

/** What was to be given back under other limits would make these free. */
function inheritOptions ({ options: base }: PolicyDraft, options: RouteRateLimit): Inherited {
  return hasLimitFields(options) ? { ...base, refundOn: undefined } : base
}

/** Limits of a layer's own leave no tier of the layer below: what was loose there would loosen these. */
function mergeTiers (base: PolicyDraft, draft: Omit<PolicyDraft, 'tiers'>, options: RouteRateLimit, ownScope: string, place: string): PolicyDraft['tiers'] {
  const group = options.groupId === undefined ? null : draft.scope
  const tiers = new Map<string, TierDraft | null>()
  for (const [name, tier] of hasLimitFields(options) ? [] : base.tiers) {
    tiers.set(name, tier === null ? null : { scope: group ?? tier.scope, limits: mergeLimits({ ...draft, limits: tier.limits }, { mode: options.mode }, place) })
  }
  for (const [name, given] of Object.entries(options.tiers ?? {})) {
    const tierBase = { ...draft, limits: tiers.get(name)?.limits ?? draft.limits }
    tiers.set(name, given === false ? null : { scope: group ?? ownScope, limits: mergeLimits(tierBase, { ...given, mode: options.mode }, `${place}.tiers.${name}`) })
  }
  return tiers
}

function selectScope (base: PolicyDraft, options: RouteRateLimit, ownScope: string): string {
  if (options.groupId !== undefined) return `group:${options.groupId}`
  return hasLimitFields(options) ? ownScope : base.scope
}

function withoutUndefined<T extends object> (options: T): Partial<T> {
  const given: Partial<T> = { ...options }
  for (const key in given) {
    if (given[key] === undefined) delete given[key]
  }
  return given
}
