import { badOption, checkOptions } from '../config/check.js'
import { RouteRateLimitSchema, type RouteRateLimit, type RuleOptions } from '../config/policy-schema.js'
import type { RateLimitOptions } from '../config/schema.js'
import { FST_SLUICE_CONTRADICTION, FST_SLUICE_TOO_MANY_GROUPS, FST_SLUICE_UNEQUAL_LIMITS } from '../errors.js'
import type { Limit } from '../stores/store.js'
import { compilePolicy, limitsInWords, penaltyInWords } from './compile.js'
import { builtInDraft, layPolicy, type PolicyDraft } from './draft.js'
import { exemptRoutes } from './exempt-routes.js'
import { hasLimitFields } from './limit-draft.js'
import type { LimitMaker } from './limit-maker.js'
import type { Policy } from './policy.js'
import type { RequestTarget, Routing } from './request-path.js'
import { methodsOf, RouteNames, type Route } from './route-names.js'
import { RuleSet, type Resolution, type Rule } from './rule-set.js'

/** What a route does: a policy or nothing, or a matter of each request, whose path may be a rule's. */
export type RoutePolicy =
  | { readonly kind: 'fixed', readonly policy: Policy | null }
  | { readonly kind: 'by-request', readonly policies: readonly Policy[], readonly pick: (request: RequestTarget) => Policy | null }

interface PolicyRule extends Rule {
  readonly policy: Policy
  readonly draft: PolicyDraft
  readonly options: RouteRateLimit
  readonly place: string
}

/** What a route's config says, and what its buckets are called if it has limits. */
interface OwnOptions {
  readonly options: RouteRateLimit
  readonly scope: string
  readonly place: string
}

/** A set of buckets, and what it is called to an operator. */
interface Buckets {
  readonly limit: Limit
  /** Where a function makes the limits; `null` where there is the one. */
  readonly maker: LimitMaker | null
  readonly scope: string
  readonly tier: string | null
}

/** What the sets of policies of one registration, which follow one another, have in common; and what is said of routes elsewhere. */
export interface BookContext {
  /** How many came before. */
  readonly edition?: number
  readonly names?: RouteNames
  /** A route's options, with what they take from the default policy of the code; see `Layered`. */
  readonly ownOptions?: (options: RouteRateLimit, place: string) => RouteRateLimit
  /** Hears of each policy, also of a tier's. */
  readonly onPolicy?: (policy: Policy) => void
}

/** More scopes than any application names; reached, somebody puts a client's id into `groupId`. */
const MOST_GROUPS = 10_000

/** The current set of policies of one registration. Routes look theirs up once, when they are declared. */
export class PolicyBook {
  /** For routes without limits of their own; `null` where `global` is false. */
  readonly fallback: Policy | null
  /** The policy of the registration itself, whether or not it is global. */
  readonly base: Policy
  /** The policies of the rules by their names, as they were written. */
  readonly rules: ReadonlyMap<string, Policy>

  readonly #registration: string
  readonly #edition: number
  readonly #onTier: (name: string) => void
  readonly #draft: PolicyDraft
  readonly #rules: RuleSet<PolicyRule>
  readonly #ruleOf = new WeakMap<Policy, string>()
  readonly #isExempt: (methods: readonly string[], url: string) => boolean
  readonly #routeNames: RouteNames
  readonly #onPolicy: NonNullable<BookContext['onPolicy']>
  readonly #withBase: NonNullable<BookContext['ownOptions']>
  /** What was said of each scope, in words. */
  readonly #said = new Map<string, string>()
  readonly #buckets = new Map<string, Buckets>()
  readonly #exempted = new Set<string>()
  /** Scopes that guards and checks have named. */
  readonly #asked = new Set<string>()
  #groups = 0

  /**
   * `onTier` hears of each tier that has limits of its own, also from routes that are declared later.
   * Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION.
   */
  constructor (registration: string, options: RateLimitOptions, routing: Routing, onTier: (name: string) => void, context: BookContext = {}) {
    this.#registration = registration
    this.#edition = context.edition ?? 0
    this.#onTier = onTier
    this.#routeNames = context.names ?? new RouteNames()
    this.#onPolicy = context.onPolicy ?? (() => {})
    this.#withBase = context.ownOptions ?? ((own) => own)
    this.#draft = layPolicy(builtInDraft, policyOptionsOf(options), 'default', 'rateLimit')
    this.base = this.#compile(this.#draft, 'rateLimit')
    this.fallback = options.global === false ? null : this.base
    const rules = this.#compileRules(options.rules ?? [])
    this.rules = new Map(rules.map(({ name, policy }) => [name, policy]))
    this.#rules = new RuleSet(rules, routing)
    this.#isExempt = exemptRoutes(options.exempt?.routes, routing)
  }

  /** Every limit of every policy, each set of buckets once. */
  limits (): Limit[] {
    return [...this.#buckets.values()].flatMap(limitsOf)
  }

  /** Know the buckets that only requests have told of under the set of policies before this one: they are still there. */
  inherit (before: PolicyBook): void {
    for (const [bucket, { maker }] of this.#buckets) {
      const known = before.#buckets.get(bucket)?.maker ?? null
      if (maker !== null && known !== null) maker.remember(known)
    }
    // What only a check names is not known again before the next one, and must be found by a reset until then.
    for (const [bucket, buckets] of before.#buckets) {
      if (!before.#asked.has(buckets.scope) || this.#buckets.has(bucket)) continue
      this.#asked.add(buckets.scope)
      this.#buckets.set(bucket, buckets)
    }
  }

  /** The scope that a limit of `limits()` belongs to. */
  scopeOf (limit: Limit): string {
    return this.#bucketsOf(limit)?.scope ?? ''
  }

  /** The tier that a limit of `limits()` belongs to; `null` for the limits of everybody else. */
  tierOf (limit: Limit): string | null {
    return this.#bucketsOf(limit)?.tier ?? null
  }

  /** Routes that were found exempt because of what they are, in words. */
  get exempted (): readonly string[] {
    return [...this.#exempted]
  }

  /** What a route does. Throws what wrong options throw. */
  policyOf (route: Route): RoutePolicy {
    const methods = methodsOf(route)
    const own = this.#ownOptions(route)
    const resolution = this.#resolve(methods, route, own)
    // Under an overriding rule they wait for the day on which it goes: that must not be when their mistakes show.
    if (own !== null && hasLimits(own.options)) this.#compileOwn(own)
    if (resolution.kind === 'fixed') {
      return { kind: 'fixed', policy: resolution.rule === null ? this.#withoutRule(route, methods, own) : this.#policyUnder(resolution.rule, own) }
    }
    const ruled = new Map(resolution.rules.map((rule) => [rule, this.#policyUnder(rule, own)]))
    const unruled = this.#withoutRule(route, methods, own)
    return {
      kind: 'by-request',
      policies: unruled === null ? [...ruled.values()] : [...ruled.values(), unruled],
      pick: (request) => {
        const rule = resolution.pick(request)
        return (rule === null ? null : ruled.get(rule)) ?? unruled
      }
    }
  }

  /** Which rules there may be for a route's requests of one method. */
  rulesOf (route: Route, method: string): Resolution<Rule> {
    return this.#resolve([method], route, this.#ownOptions(route))
  }

  /** The rule that a policy of a route is made of; `null` where there is none. */
  ruleOf (policy: Policy): string | null {
    return this.#ruleOf.get(policy) ?? null
  }

  /** What a request to an unknown URL is counted under. */
  policyOfUnknown (request: RequestTarget): Policy | null {
    return this.#rules.forUnknown(request)?.policy ?? this.fallback
  }

  /**
   * The policy of a guard or a check. Limits of its own need a `groupId`, for there is no route to name their buckets.
   * Throws what wrong options throw.
   */
  policyFor (options: RouteRateLimit, place: string): Policy {
    checkOptions(RouteRateLimitSchema, options, place)
    if (hasLimits(options) && options.groupId === undefined) {
      throw badOption(`${place}.groupId`, 'a name for the buckets of these limits', undefined)
    }
    const policy = this.#compile(layPolicy(this.#draft, this.#withBase(options, place), 'default', place), place)
    if (policy.scope.startsWith('group:')) this.#asked.add(policy.scope)
    return policy
  }

  #resolve (methods: readonly string[], { url, rateLimit }: Route, own: OwnOptions | null): Resolution<PolicyRule> {
    return this.#rules.forRoute(methods, url, rateLimit === false || (own !== null && hasLimits(own.options)))
  }

  /** The options of a route's config, checked; `null` where it has none. */
  #ownOptions (route: Route): OwnOptions | null {
    const { rateLimit } = route
    if (rateLimit === undefined || rateLimit === false) return null
    const place = `${methodsOf(route).join(',')} ${route.url} config.rateLimit`
    if (typeof rateLimit !== 'object' || rateLimit === null || Array.isArray(rateLimit)) {
      throw badOption(place, 'an object of rate-limit options, or false', rateLimit)
    }
    checkOptions(RouteRateLimitSchema, rateLimit, place)
    return { options: this.#withBase(rateLimit, place), scope: `route:${this.#routeNames.nameOf(route)}`, place }
  }

  /**
   * The policy of a route under a rule. The limits are the rule's; what else the route says (a cost, a callback) holds
   * too, unless the rule overrides routes and says otherwise.
   */
  #policyUnder (rule: PolicyRule, own: OwnOptions | null): Policy {
    if (own === null) return rule.policy
    const { max, timeWindow, limits, algorithm, burst, by, tiers, groupId, ...rest } = own.options
    const draft = rule.override === true
      ? layPolicy(layPolicy(this.#draft, rest, own.scope, own.place), rule.options, `rule:${rule.name}`, rule.place)
      : layPolicy(rule.draft, rest, own.scope, own.place)
    return this.#compileUnder(rule.name, draft, own.place)
  }

  /** Of what a route is exempt by itself, no rule and no config of its own says otherwise. */
  #withoutRule (route: Route, methods: readonly string[], own: OwnOptions | null): Policy | null {
    if (own !== null) return this.#compileOwn(own)
    if (route.rateLimit !== undefined) return null
    if (this.fallback === null || !this.#isExempt(methods, route.url)) return this.fallback
    this.#exempted.add(`${methods.join(',')} ${route.url}`)
    return null
  }

  #compileOwn (own: OwnOptions): Policy {
    return this.#compile(layPolicy(this.#draft, own.options, own.scope, own.place), own.place)
  }

  #compileRules (rules: readonly RuleOptions[]): PolicyRule[] {
    const places = new Map<string, string>()
    return rules.map(({ name, match, methods, override, ...options }, index) => {
      const place = `rateLimit.rules[${index}]`
      const twin = places.get(name)
      if (twin !== undefined) throw new FST_SLUICE_CONTRADICTION(`${place}.name`, `${twin} has the name "${name}" already`)
      places.set(name, place)
      const draft = layPolicy(this.#draft, options, `rule:${name}`, place)
      return { name, match, methods, override, options, place, draft, policy: this.#compileUnder(name, draft, place) }
    })
  }

  #compileUnder (rule: string, draft: PolicyDraft, place: string): Policy {
    const policy = this.#compile(draft, place)
    this.#ruleOf.set(policy, rule)
    return policy
  }

  #compile (draft: PolicyDraft, place: string): Policy {
    const policy = compilePolicy(this.#registration, draft, place, this.#edition)
    this.#enterWithTrial(policy, null, place)
    for (const [name, tier] of policy.tiers ?? []) {
      this.#onTier(name)
      if (tier !== null) this.#enterWithTrial(tier, name, place)
    }
    // A tier of one route only would give its clients two budgets in the group.
    if (policy.scope.startsWith('group:')) this.#agree(`${policy.scope} has the tiers`, tiersInWords(policy), place)
    return policy
  }

  #enterWithTrial (policy: Policy, tier: string | null, place: string): void {
    this.#enter(policy, tier, place)
    if (policy.rollout !== null) this.#enter(policy.rollout.trial, tier, place)
  }

  /** Those who share buckets must agree on their limits. */
  #enter (policy: Policy, tier: string | null, place: string): void {
    this.#onPolicy(policy)
    const scope = policy.scope + (tier === null ? '' : ` of tier ${tier}`)
    const what = `${scope} has the limits`
    if (scope.startsWith('group:') && !this.#said.has(what) && ++this.#groups > MOST_GROUPS) throw new FST_SLUICE_TOO_MANY_GROUPS(String(MOST_GROUPS))
    this.#agree(what, limitsInWords(policy), place)
    const penalty = penaltyInWords(policy)
    if (penalty !== null) this.#agree(`${policy.scope} has the penalty`, penalty, place)
    policy.limits.forEach((limit, index) => {
      // Routes that share buckets may be without their penalty: where one is, a reset must still lift the others'.
      if (limit.penalty === null && (this.#buckets.get(limit.bucket)?.limit.penalty ?? null) !== null) return
      this.#buckets.set(limit.bucket, { limit, maker: policy.makers?.[index] ?? null, scope: policy.scope, tier })
    })
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

function limitsOf ({ limit, maker }: Buckets): readonly Limit[] {
  return maker === null ? [limit] : maker.limits()
}

/** Whether options say what the limits are, and not only what is done with them. */
function hasLimits (options: RouteRateLimit): boolean {
  return hasLimitFields(options) || options.tiers !== undefined || options.groupId !== undefined
}

function tiersInWords ({ tiers }: Policy): string {
  return Array.from(tiers ?? [], ([name, tier]) => tier === null ? `"${name}" (unlimited)` : `"${name}"`).sort().join(', ') || 'of nobody'
}

function policyOptionsOf (options: RateLimitOptions): RouteRateLimit {
  const {
    name, global, enabled, rules, identify, trustedProxies, exempt, memory, ipv6Subnet, redis, keyPrefix, deadline, breaker, connections, maxPending, health, metrics, admin, openapi, headers, log, configFile, reloadOnSignal, ...policy
  } = options
  return policy
}
