import { badOption, checkOptions } from '../config/schema/check.js'
import { hasBucketFields, withoutBucketFields } from '../config/schema/policy-fields.js'
import { RouteRateLimitSchema, type RouteRateLimit, type RuleOptions } from '../config/schema/policy-schema.js'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import { compilePolicy, type CompileSettings } from './compile.js'
import { builtInDraft, mergePolicy, type PolicyDraft } from './policy-draft.js'
import { createExemptMatcher } from '../routing/exempt-routes.js'
import { BucketRegistry } from './bucket-registry.js'
import type { Policy } from './policy.js'
import type { RequestTarget } from '../routing/request-path.js'
import type { RouterOptions } from '../routing/router-options.js'
import { normalizeMethods, formatRoute, RouteNames, type Route } from '../routing/route-names.js'
import { RuleSet, type Resolution, type Rule } from '../routing/rule-set.js'

/** The policy of a route: fixed (`null` for none), or selected for each request, because rules depend on its path. */
export type RoutePolicy =
  | { readonly kind: 'fixed', readonly policy: Policy | null }
  | { readonly kind: 'by-request', readonly policies: readonly Policy[], readonly pick: (request: RequestTarget) => Policy | null }

interface PolicyRule extends Rule {
  readonly policy: Policy
  readonly draft: PolicyDraft
  readonly options: RouteRateLimit
  readonly place: string
}

/** The options of a route's config, and the scope of its buckets if it has limits. */
interface OwnOptions {
  readonly options: RouteRateLimit
  readonly scope: string
  readonly place: string
}

/** What the policy sets of one registration share across reloads, and what the configuration adds. */
export interface PolicySetContext extends CompileSettings {
  readonly names?: RouteNames
  /** Adds to a route's options those that it inherits from the default policy in code; see `MergedOptions`. */
  readonly buildRouteOptions?: (options: RouteRateLimit, place: string) => RouteRateLimit
  /** Called with each policy, including those of tiers. */
  readonly onPolicy?: (policy: Policy) => void
}

/** The set of policies of one registration. The policy of a route is looked up once, when the route is declared. */
export class PolicySet {
  /** The policy of routes without limits of their own; `null` with `global: false`. */
  readonly defaultPolicy: Policy | null
  /** The policy of the registration itself, whether or not it is global. */
  readonly base: Policy
  readonly buckets = new BucketRegistry()
  /** The policies of the rules by name, in the order of the options. */
  readonly rules: ReadonlyMap<string, Policy>

  readonly #registration: string
  readonly #settings: CompileSettings
  readonly #onTier: (name: string) => void
  readonly #draft: PolicyDraft
  readonly #rules: RuleSet<PolicyRule>
  readonly #ruleNames = new WeakMap<Policy, string>()
  readonly #isExempt: (methods: readonly string[], url: string) => boolean
  readonly #routeNames: RouteNames
  readonly #onPolicy: NonNullable<PolicySetContext['onPolicy']>
  readonly #buildRouteOptions: NonNullable<PolicySetContext['buildRouteOptions']>
  readonly #exempted = new Set<string>()

  /**
   * `onTier`: called with each tier that has limits of its own, including those of routes that are declared later.
   * Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION.
   */
  constructor (
    registration: string,
    options: RateLimitOptions,
    routerOptions: RouterOptions,
    onTier: (name: string) => void,
    context: PolicySetContext = {}
  ) {
    this.#registration = registration
    this.#settings = context
    this.#onTier = onTier
    this.#routeNames = context.names ?? new RouteNames()
    this.#onPolicy = context.onPolicy ?? (() => {})
    this.#buildRouteOptions = context.buildRouteOptions ?? ((own) => own)
    this.#draft = mergePolicy(builtInDraft, options, 'default', 'rateLimit')
    this.base = this.#compile(this.#draft, 'rateLimit')
    this.defaultPolicy = options.global === false ? null : this.base
    const rules = this.#compileRules(options.rules ?? [])
    this.rules = new Map(rules.map(({ name, policy }) => [name, policy]))
    this.#rules = new RuleSet(rules, routerOptions)
    this.#isExempt = createExemptMatcher(options.exempt?.routes, routerOptions)
  }

  /** Routes that are exempt by the list of exempt routes, formatted for messages. */
  get exempted (): readonly string[] {
    return [...this.#exempted]
  }

  /** Compile the policy of a route. Throws the errors of wrong options. */
  compileRoute (route: Route): RoutePolicy {
    const methods = normalizeMethods(route)
    const own = this.#readOwnOptions(route)
    const resolution = this.#resolve(methods, route, own)
    // Validate own limits even if a rule overrides them: their errors must not appear only when the rule is removed.
    if (own !== null && hasBucketFields(own.options)) this.#compileOwn(own)
    if (resolution.kind === 'fixed') {
      const { rule } = resolution
      return { kind: 'fixed', policy: rule === null ? this.#compileWithoutRule(route, methods, own) : this.#compileUnderRule(rule, own) }
    }
    const ruled = new Map(resolution.rules.map((rule) => [rule, this.#compileUnderRule(rule, own)]))
    const unruled = this.#compileWithoutRule(route, methods, own)
    return {
      kind: 'by-request',
      policies: unruled === null ? [...ruled.values()] : [...ruled.values(), unruled],
      pick: (request) => {
        const rule = resolution.pick(request)
        return (rule === null ? null : ruled.get(rule)) ?? unruled
      }
    }
  }

  /** The rules that can apply to a route's requests of one method. */
  resolveRules (route: Route, method: string): Resolution<Rule> {
    return this.#resolve([method], route, this.#readOwnOptions(route))
  }

  /** The name of the rule that a policy comes from; `null` if it does not come from a rule. */
  findRuleName (policy: Policy): string | null {
    return this.#ruleNames.get(policy) ?? null
  }

  /** The policy of a request to an unknown URL. */
  findPolicyForUnknown (request: RequestTarget): Policy | null {
    return this.#rules.forUnknown(request)?.policy ?? this.defaultPolicy
  }

  /**
   * Compile the policy of a guard or a check. Limits of its own need a `groupId`: there is no route to name their buckets.
   * Throws the errors of wrong options.
   */
  compileGuardPolicy (options: RouteRateLimit, place: string): Policy {
    checkOptions(RouteRateLimitSchema, options, place)
    const needsName = hasBucketFields(options) || typeof options.concurrency === 'object'
    if (needsName && options.groupId === undefined) {
      throw badOption(`${place}.groupId`, 'a name for the buckets of these limits', undefined)
    }
    const policy = this.#compile(mergePolicy(this.#draft, this.#buildRouteOptions(options, place), 'default', place), place)
    this.buckets.addOnDemandScope(policy.scope)
    return policy
  }

  /** The rule that a route would have without limits of its own; `null` for none, or if it depends on the request. */
  findRuleBelow (route: Route): Rule | null {
    const resolution = this.#rules.forRoute(normalizeMethods(route), route.url)
    return resolution.kind === 'fixed' ? resolution.rule : null
  }

  #resolve (methods: readonly string[], { url, rateLimit }: Route, own: OwnOptions | null): Resolution<PolicyRule> {
    return this.#rules.forRoute(methods, url, rateLimit === false || (own !== null && hasBucketFields(own.options)))
  }

  /** The validated options of a route's config; `null` without them. */
  #readOwnOptions (route: Route): OwnOptions | null {
    const { rateLimit } = route
    if (rateLimit === undefined || rateLimit === false) return null
    const place = `${formatRoute(route)} config.rateLimit`
    if (typeof rateLimit !== 'object' || rateLimit === null || Array.isArray(rateLimit)) {
      throw badOption(place, 'an object of rate-limit options, or false', rateLimit)
    }
    checkOptions(RouteRateLimitSchema, rateLimit, place)
    return { options: this.#buildRouteOptions(rateLimit, place), scope: `route:${this.#routeNames.getName(route)}`, place }
  }

  /**
   * Compile the policy of a route under a rule. The limits come from the rule. Other options of the route (a cost, a
   * callback) stay, unless the rule has `override` and sets them too.
   */
  #compileUnderRule (rule: PolicyRule, own: OwnOptions | null): Policy {
    if (own === null) return rule.policy
    const rest = withoutBucketFields(own.options)
    const draft = rule.override === true
      ? mergePolicy(mergePolicy(this.#draft, rest, own.scope, own.place), rule.options, `rule:${rule.name}`, rule.place)
      : mergePolicy(rule.draft, rest, own.scope, own.place)
    return this.#compileRuleDraft(rule.name, draft, own.place)
  }

  /** The list of exempt routes applies only to routes without a rule and without a config. */
  #compileWithoutRule (route: Route, methods: readonly string[], own: OwnOptions | null): Policy | null {
    if (own !== null) return this.#compileOwn(own)
    if (route.rateLimit !== undefined) return null
    if (this.defaultPolicy === null || !this.#isExempt(methods, route.url)) return this.defaultPolicy
    this.#exempted.add(`${methods.join(',')} ${route.url}`)
    return null
  }

  #compileOwn (own: OwnOptions): Policy {
    return this.#compile(mergePolicy(this.#draft, own.options, own.scope, own.place), own.place)
  }

  #compileRules (rules: readonly RuleOptions[]): PolicyRule[] {
    return rules.map(({ name, match, methods, override, ...options }, index) => {
      const place = `rateLimit.rules[${index}]`
      const draft = mergePolicy(this.#draft, options, `rule:${name}`, place)
      return { name, match, methods, override, options, place, draft, policy: this.#compileRuleDraft(name, draft, place) }
    })
  }

  #compileRuleDraft (rule: string, draft: PolicyDraft, place: string): Policy {
    const policy = this.#compile(draft, place)
    this.#ruleNames.set(policy, rule)
    return policy
  }

  #compile (draft: PolicyDraft, place: string): Policy {
    const policy = compilePolicy(this.#registration, draft, place, this.#settings)
    this.#register(policy, null, place)
    for (const [name, tier] of policy.tiers ?? []) {
      this.#onTier(name)
      if (tier !== null) this.#register(tier, name, place)
    }
    this.buckets.requireSameTiers(policy, place)
    return policy
  }

  #register (policy: Policy, tier: string | null, place: string): void {
    for (const one of policy.rollout === null ? [policy] : [policy, policy.rollout.shadow]) {
      this.#onPolicy(one)
      this.buckets.register(one, tier, place)
      this.buckets.registerConcurrency(one, place)
    }
  }
}
