import { createQuota } from '../algorithms/quota.js'
import { FST_SLUICE_TOO_MANY_GROUPS, FST_SLUICE_UNEQUAL_LIMITS } from '../errors.js'
import type { Limit } from '../stores/store.js'
import type { DynamicLimit } from './dynamic-limit.js'
import type { Policy } from './policy.js'

/** A set of buckets, with its scope and tier as operators see them. */
interface BucketSet {
  readonly limit: Limit
  /** Set if a function computes the limits; otherwise `null`. */
  readonly dynamicLimit: DynamicLimit | null
  readonly scope: string
  readonly tier: string | null
}

/** More groups than any application needs. Reached only if the application puts a client's ID into `groupId`. */
const MAX_GROUPS = 10_000

/** The buckets of one set of policies. Policies that share buckets must have equal limits. */
export class BucketRegistry {
  /** The definition of each scope, as text. */
  readonly #definitions = new Map<string, string>()
  readonly #buckets = new Map<string, BucketSet>()
  /** Scopes of guards and checks. */
  readonly #onDemandScopes = new Set<string>()
  /** Scopes of groups, one for each tier. */
  readonly #groups = new Set<string>()

  /**
   * Register the buckets of a policy, or of one of its tiers. Throws FST_SLUICE_UNEQUAL_LIMITS if another policy defines
   * them differently, and FST_SLUICE_TOO_MANY_GROUPS.
   */
  register (policy: Policy, tier: string | null, place: string): void {
    const scope = describeScope(policy.scope, tier)
    this.#registerGroup(scope)
    this.#requireSame(`${scope} has the limits`, describeLimits(policy), place)
    const penalty = describePenalty(policy)
    if (penalty !== null) this.#requireSame(`${policy.scope} has the penalty`, penalty, place)
    policy.limits.forEach((limit, index) => {
      // Of routes that share buckets, some may have no penalty. Keep the limit with the penalty: a reset must lift it.
      if (limit.penalty === null && (this.#buckets.get(limit.bucket)?.limit.penalty ?? null) !== null) return
      this.#buckets.set(limit.bucket, { limit, dynamicLimit: policy.dynamicLimits?.[index] ?? null, scope: policy.scope, tier })
    })
  }

  /** Register the concurrency limit of a policy. Throws FST_SLUICE_UNEQUAL_LIMITS if another policy counts by other numbers. */
  registerConcurrency ({ concurrency }: Policy, place: string): void {
    if (concurrency === null) return
    const { max, by, windowUs, room } = concurrency.limit
    const numbers = room == null ? `${max} by ${by}, lease ${windowUs / 1000} ms` : `adaptive, from ${room.min} to ${max}`
    this.#requireSame(`${concurrency.scope} has the concurrency`, numbers, place)
  }

  /** Routes of one group need the same tiers: otherwise a client could have two budgets in it. Throws FST_SLUICE_UNEQUAL_LIMITS. */
  requireSameTiers (policy: Policy, place: string): void {
    if (policy.scope.startsWith('group:')) this.#requireSame(`${policy.scope} has the tiers`, describeTiers(policy), place)
  }

  /** Remember the scope of a guard or a check. */
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

  /** The tier that a limit of `limits()` belongs to; `null` for the limits of all other clients. */
  getTier (limit: Limit): string | null {
    return this.#findBuckets(limit)?.tier ?? null
  }

  /** Take over the buckets that became known through requests under the previous set of policies: they still exist. */
  inherit (previous: BucketRegistry): void {
    for (const [bucket, { dynamicLimit }] of this.#buckets) {
      const known = previous.#buckets.get(bucket)?.dynamicLimit ?? null
      if (dynamicLimit !== null && known !== null) dynamicLimit.rememberFrom(known)
    }
    // Scopes of checks become known again at the next check. A reset must find their buckets before that too.
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
    // Limits computed by a function have buckets that are not in the map.
    return this.#buckets.get(limit.bucket) ?? [...this.#buckets.values()].find((buckets) => listLimits(buckets).includes(limit))
  }

  #requireSame (subject: string, definition: string, place: string): void {
    const known = this.#definitions.get(subject)
    if (known !== undefined && known !== definition) {
      throw new FST_SLUICE_UNEQUAL_LIMITS(place, `${subject} ${known} already`, definition)
    }
    this.#definitions.set(subject, definition)
  }
}

export function describeScope (scope: string, tier: string | null): string {
  return scope + (tier === null ? '' : ` of tier ${tier}`)
}

function listLimits ({ limit, dynamicLimit }: BucketSet): readonly Limit[] {
  return dynamicLimit === null ? [limit] : dynamicLimit.limits()
}

/** The limits that policies with one scope must have in common, as text. The modes may differ: shadow has its own buckets. */
function describeLimits ({ limits, dynamicLimits }: Policy): string {
  return limits.map((limit, index) => {
    const window = limit.calendar?.description ?? `${limit.windowUs / 1000} ms`
    const numbers = dynamicLimits?.[index]?.description ?? `${limit.max} per ${window}`
    const burst = limit.capacity === limit.max ? '' : ` burst ${limit.capacity}`
    const by = limit.by === 'client' ? '' : ` by ${limit.by}`
    // A policy without the throttle would cut off a queue that is longer than a window.
    const throttleNote = hasDebtCeiling(limit) ? '' : ' with a throttle beyond its timeWindow'
    return `"${limit.name}" ${numbers}${burst} (${limit.algorithm}${by})${throttleNote}`
  }).join(', ')
}

/** Whether no delay is longer than a debt. */
function hasDebtCeiling ({ algorithm, max, windowUs, capacity, ceilingUs }: Limit): boolean {
  return algorithm === 'calendar-window' || ceilingUs === createQuota(algorithm, max, windowUs, capacity).ceilingUs
}

/** Policies with one scope share the strikes, so their penalties must be equal too. */
function describePenalty ({ limits }: Policy): string | null {
  const { penalty } = limits[0]
  if (penalty === null) return null
  const { strikes, withinUs, cooldownUs, maxCooldownUs, factor } = penalty
  return `${strikes} strikes within ${withinUs / 1000} ms, ${cooldownUs / 1000} to ${maxCooldownUs / 1000} ms by ${factor}`
}

function describeTiers ({ tiers }: Policy): string {
  return Array.from(tiers ?? [], ([name, tier]) => tier === null ? `"${name}" (unlimited)` : `"${name}"`).sort().join(', ') || 'none'
}
