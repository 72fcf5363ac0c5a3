import { quotaOf } from '../algorithms/quota.js'
import { FST_SLUICE_TOO_MANY_GROUPS, FST_SLUICE_UNEQUAL_LIMITS } from '../errors.js'
import type { Limit } from '../stores/store.js'
import type { LimitMaker } from './dynamic-limit.js'
import type { Policy } from './policy.js'

/** A set of buckets, and what it is called to an operator. */
interface Buckets {
  readonly limit: Limit
  /** Where a function makes the limits; `null` where there is the one. */
  readonly maker: LimitMaker | null
  readonly scope: string
  readonly tier: string | null
}

/** More scopes than any application names; reached, somebody puts a client's id into `groupId`. */
const MOST_GROUPS = 10_000

/** The buckets of one set of policies. Those who share some must agree on what is said of them. */
export class KnownBuckets {
  /** What was said of each scope, in words. */
  readonly #said = new Map<string, string>()
  readonly #buckets = new Map<string, Buckets>()
  /** Scopes that guards and checks have named. */
  readonly #asked = new Set<string>()
  /** Scopes of groups, each tier's apart. */
  readonly #groups = new Set<string>()

  /**
   * Know the buckets of a policy, or of one of its tiers. Throws FST_SLUICE_UNEQUAL_LIMITS where others have said otherwise
   * of them, and FST_SLUICE_TOO_MANY_GROUPS.
   */
  enter (policy: Policy, tier: string | null, place: string): void {
    const scope = scopeInWords(policy.scope, tier)
    this.#enterGroup(scope)
    this.#agree(`${scope} has the limits`, limitsInWords(policy), place)
    const penalty = penaltyInWords(policy)
    if (penalty !== null) this.#agree(`${policy.scope} has the penalty`, penalty, place)
    policy.limits.forEach((limit, index) => {
      // Routes that share buckets may be without their penalty: where one is, a reset must still lift the others'.
      if (limit.penalty === null && (this.#buckets.get(limit.bucket)?.limit.penalty ?? null) !== null) return
      this.#buckets.set(limit.bucket, { limit, maker: policy.makers?.[index] ?? null, scope: policy.scope, tier })
    })
  }

  /** A tier of one route only would give its clients two budgets in the group. Throws FST_SLUICE_UNEQUAL_LIMITS. */
  agreeOnTiers (policy: Policy, place: string): void {
    if (policy.scope.startsWith('group:')) this.#agree(`${policy.scope} has the tiers`, tiersInWords(policy), place)
  }

  /** A guard or a check has named this scope. */
  ask (scope: string): void {
    if (scope.startsWith('group:')) this.#asked.add(scope)
  }

  /** Every limit, each set of buckets once. */
  limits (): Limit[] {
    return [...this.#buckets.values()].flatMap(limitsOf)
  }

  /** The scope that a limit of `limits()` belongs to. */
  scopeOf (limit: Limit): string {
    return this.#bucketsOf(limit)?.scope ?? ''
  }

  /** The tier that a limit of `limits()` belongs to; `null` for the limits of everybody else. */
  tierOf (limit: Limit): string | null {
    return this.#bucketsOf(limit)?.tier ?? null
  }

  /** Know the buckets that only requests have told of under the set of policies before this one: they are still there. */
  inherit (before: KnownBuckets): void {
    for (const [bucket, { maker }] of this.#buckets) {
      const known = before.#buckets.get(bucket)?.maker ?? null
      if (maker !== null && known !== null) maker.remember(known)
    }
    // What only a check names is not known again before the next one, and must be found by a reset until then.
    for (const [bucket, buckets] of before.#buckets) {
      if (!before.#asked.has(buckets.scope) || this.#buckets.has(bucket)) continue
      this.#asked.add(buckets.scope)
      this.#groups.add(scopeInWords(buckets.scope, buckets.tier))
      this.#buckets.set(bucket, buckets)
    }
  }

  #enterGroup (scope: string): void {
    if (!scope.startsWith('group:') || this.#groups.has(scope)) return
    if (this.#groups.size >= MOST_GROUPS) throw new FST_SLUICE_TOO_MANY_GROUPS(String(MOST_GROUPS))
    this.#groups.add(scope)
  }

  #bucketsOf (limit: Limit): Buckets | undefined {
    // Those by function have buckets that are not known beforehand.
    return this.#buckets.get(limit.bucket) ?? [...this.#buckets.values()].find((buckets) => limitsOf(buckets).includes(limit))
  }

  #agree (what: string, words: string, place: string): void {
    const known = this.#said.get(what)
    if (known !== undefined && known !== words) throw new FST_SLUICE_UNEQUAL_LIMITS(place, `${what} ${known} already`, words)
    this.#said.set(what, words)
  }
}

function scopeInWords (scope: string, tier: string | null): string {
  return scope + (tier === null ? '' : ` of tier ${tier}`)
}

function limitsOf ({ limit, maker }: Buckets): readonly Limit[] {
  return maker === null ? [limit] : maker.limits()
}

/** What two policies with the same scope must agree on, in words. Their modes may differ: shadow has its own buckets. */
function limitsInWords ({ limits, makers }: Policy): string {
  return limits.map((limit, index) => {
    const numbers = makers?.[index]?.numbersInWords ?? `${limit.max} per ${limit.windowUs / 1000} ms`
    const burst = limit.capacity === limit.max ? '' : ` burst ${limit.capacity}`
    const by = limit.by === 'client' ? '' : ` by ${limit.by}`
    // A line that is longer than a window must not be cut by those who do not wait in it.
    const line = limit.ceilingUs === quotaOf(limit.algorithm, limit.max, limit.windowUs, limit.capacity).ceilingUs ? '' : ' with a throttle beyond its timeWindow'
    return `"${limit.name}" ${numbers}${burst} (${limit.algorithm}${by})${line}`
  }).join(', ')
}

/** What two policies with the same scope must agree on too, where both have one: they share the strikes. */
function penaltyInWords ({ limits }: Policy): string | null {
  const { penalty } = limits[0]
  if (penalty === null) return null
  return `${penalty.strikes} strikes within ${penalty.withinUs / 1000} ms, ${penalty.cooldownUs / 1000} to ${penalty.maxCooldownUs / 1000} ms by ${penalty.factor}`
}

function tiersInWords ({ tiers }: Policy): string {
  return Array.from(tiers ?? [], ([name, tier]) => tier === null ? `"${name}" (unlimited)` : `"${name}"`).sort().join(', ') || 'of nobody'
}
