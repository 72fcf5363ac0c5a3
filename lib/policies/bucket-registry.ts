import { createQuota } from '../algorithms/quota.js'
import { FST_SLUICE_TOO_MANY_GROUPS, FST_SLUICE_UNEQUAL_LIMITS } from '../errors.js'
import type { Limit } from '../stores/store.js'
import type { DynamicLimit } from './dynamic-limit.js'
import type { Policy } from './policy.js'

/** A set of buckets, and what it is called to an operator. */
interface BucketSet {
  readonly limit: Limit
  /** Where a function makes the limits; `null` where there is the one. */
  readonly dynamicLimit: DynamicLimit | null
  readonly scope: string
  readonly tier: string | null
}

/** More scopes than any application names; reached, somebody puts a client's id into `groupId`. */
const MAX_GROUPS = 10_000

/** The buckets of one set of policies. Those who share some must agree on what is said of them. */
export class BucketRegistry {
  /** What was said of each scope, in words. */
  readonly #definitions = new Map<string, string>()
  readonly #buckets = new Map<string, BucketSet>()
  /** Scopes that guards and checks have named. */
  readonly #onDemandScopes = new Set<string>()
  /** Scopes of groups, each tier's apart. */
  readonly #groups = new Set<string>()

  /**
   * Know the buckets of a policy, or of one of its tiers. Throws FST_SLUICE_UNEQUAL_LIMITS where others have said otherwise
   * of them, and FST_SLUICE_TOO_MANY_GROUPS.
   */
  register (policy: Policy, tier: string | null, place: string): void {
    const scope = describeScope(policy.scope, tier)
    this.#registerGroup(scope)
    this.#requireSame(`${scope} has the limits`, describeLimits(policy), place)
    const penalty = describePenalty(policy)
    if (penalty !== null) this.#requireSame(`${policy.scope} has the penalty`, penalty, place)
    policy.limits.forEach((limit, index) => {
      // Routes that share buckets may be without their penalty: where one is, a reset must still lift the others'.
      if (limit.penalty === null && (this.#buckets.get(limit.bucket)?.limit.penalty ?? null) !== null) return
      this.#buckets.set(limit.bucket, { limit, dynamicLimit: policy.dynamicLimits?.[index] ?? null, scope: policy.scope, tier })
    })
  }

  /** A tier of one route only would give its clients two budgets in the group. Throws FST_SLUICE_UNEQUAL_LIMITS. */
  requireSameTiers (policy: Policy, place: string): void {
    if (policy.scope.startsWith('group:')) this.#requireSame(`${policy.scope} has the tiers`, describeTiers(policy), place)
  }

  /** A guard or a check has named this scope. */
  addOnDemandScope (scope: string): void {
    if (scope.startsWith('group:')) this.#onDemandScopes.add(scope)
  }

  /** Every limit, each set of buckets once. */
  limits (): Limit[] {
    return [...this.#buckets.values()].flatMap(listLimits)
  }

  /** The scope that a limit of `limits()` belongs to. */
  getScope (limit: Limit): string {
    return this.#findBuckets(limit)?.scope ?? ''
  }

  /** The tier that a limit of `limits()` belongs to; `null` for the limits of everybody else. */
  getTier (limit: Limit): string | null {
    return this.#findBuckets(limit)?.tier ?? null
  }

  /** Know the buckets that only requests have told of under the set of policies before this one: they are still there. */
  inherit (previous: BucketRegistry): void {
    for (const [bucket, { dynamicLimit }] of this.#buckets) {
      const known = previous.#buckets.get(bucket)?.dynamicLimit ?? null
      if (dynamicLimit !== null && known !== null) dynamicLimit.rememberFrom(known)
    }
    // What only a check names is not known again before the next one, and must be found by a reset until then.
    for (const [bucket, buckets] of previous.#buckets) {
      if (!previous.#onDemandScopes.has(buckets.scope) || this.#buckets.has(bucket)) continue
      this.#onDemandScopes.add(buckets.scope)
      this.#groups.add(describeScope(buckets.scope, buckets.tier))
      this.#buckets.set(bucket, buckets)
    }
  }

  #registerGroup (scope: string): void {
    if (!scope.startsWith('group:') || this.#groups.has(scope)) return
    if (this.#groups.size >= MAX_GROUPS) throw new FST_SLUICE_TOO_MANY_GROUPS(String(MAX_GROUPS))
    this.#groups.add(scope)
  }

  #findBuckets (limit: Limit): BucketSet | undefined {
    // Those by function have buckets that are not known beforehand.
    return this.#buckets.get(limit.bucket) ?? [...this.#buckets.values()].find((buckets) => listLimits(buckets).includes(limit))
  }

  #requireSame (subject: string, definition: string, place: string): void {
    const known = this.#definitions.get(subject)
    if (known !== undefined && known !== definition) throw new FST_SLUICE_UNEQUAL_LIMITS(place, `${subject} ${known} already`, definition)
    this.#definitions.set(subject, definition)
  }
}

function describeScope (scope: string, tier: string | null): string {
  return scope + (tier === null ? '' : ` of tier ${tier}`)
}

function listLimits ({ limit, dynamicLimit }: BucketSet): readonly Limit[] {
  return dynamicLimit === null ? [limit] : dynamicLimit.limits()
}

/** What two policies with the same scope must agree on, in words. Their modes may differ: shadow has its own buckets. */
function describeLimits ({ limits, dynamicLimits }: Policy): string {
  return limits.map((limit, index) => {
    const numbers = dynamicLimits?.[index]?.description ?? `${limit.max} per ${limit.windowUs / 1000} ms`
    const burst = limit.capacity === limit.max ? '' : ` burst ${limit.capacity}`
    const by = limit.by === 'client' ? '' : ` by ${limit.by}`
    // A line that is longer than a window must not be cut by those who do not wait in it.
    const throttleNote = limit.ceilingUs === createQuota(limit.algorithm, limit.max, limit.windowUs, limit.capacity).ceilingUs ? '' : ' with a throttle beyond its timeWindow'
    return `"${limit.name}" ${numbers}${burst} (${limit.algorithm}${by})${throttleNote}`
  }).join(', ')
}

/** What two policies with the same scope must agree on too, where both have one: they share the strikes. */
function describePenalty ({ limits }: Policy): string | null {
  const { penalty } = limits[0]
  if (penalty === null) return null
  return `${penalty.strikes} strikes within ${penalty.withinUs / 1000} ms, ${penalty.cooldownUs / 1000} to ${penalty.maxCooldownUs / 1000} ms by ${penalty.factor}`
}

function describeTiers ({ tiers }: Policy): string {
  return Array.from(tiers ?? [], ([name, tier]) => tier === null ? `"${name}" (unlimited)` : `"${name}"`).sort().join(', ') || 'of nobody'
}
