import type { FastifyRequest, RouteOptions } from 'fastify'
import { FST_SLUICE_FIXED_OPTION, warnings } from '../errors.js'
import type { PolicySet, RoutePolicy } from './policy-set.js'
import { kRoute, type DeclaredRoute, type DeclaredRoutes } from './declared-routes.js'
import type { Policy } from './policy.js'
import type { Phase } from '../config/schema/policy-schema.js'
import type { RequestTarget } from '../routing/request-path.js'
import type { RouteConfig } from '../routing/route-config.js'
import type { Route } from '../routing/route-names.js'
import { checkRouteConfig } from '../routing/check-route.js'

/** A route that the registration knows. */
export interface KnownRoute {
  readonly route: Route
  /** An Error if the route was declared before the plugin and its config is wrong. */
  readonly policy: RoutePolicy | Error
  /** Whether it was declared before the plugin was loaded. Then its `constraints` are placeholders. */
  readonly isDeclaredBeforePlugin: boolean
}

/**
 * Finds the policy of a request in one set of policies: by index for declared routes, by the config for routes declared
 * before the plugin.
 */
export class RouteTable {
  readonly #policySet: PolicySet
  readonly #routes: DeclaredRoutes
  readonly #policies: RoutePolicy[]
  /** Routes that were declared before the plugin was loaded; `Error` if their config is wrong. */
  readonly #early = new WeakMap<RouteConfig, RoutePolicy | Error>()

  /**
   * Compile the policies of all known routes. `previous`: the table that this one replaces. Throws the errors of wrong
   * options, and FST_SLUICE_FIXED_OPTION if a route has no hook in the phase of its policy.
   */
  constructor (policySet: PolicySet, routes: DeclaredRoutes, previous: RouteTable | null = null) {
    this.#policySet = policySet
    this.#routes = routes
    this.#policies = routes.all.map((route) => {
      const policy = memoizePick(policySet.compileRoute(route))
      checkPhases(policy, route)
      return policy
    })
    for (const [config, route] of routes.early) {
      const policy = this.#compileEarlyPolicy(route)
      // A config that was already wrong before is not caused by the new set of policies.
      if (policy instanceof Error && !(previous !== null && previous.#early.get(config) instanceof Error)) throw policy
      this.#early.set(config, policy)
    }
  }

  /** Compile the policy of a route that is being declared. Throws the errors of wrong options. */
  declare (options: RouteOptions): DeclaredRoute {
    checkRouteConfig(options)
    const { method, url, constraints, config } = options
    const route = { method, url, constraints, rateLimit: config?.rateLimit }
    const policy = memoizePick(this.#policySet.compileRoute(route))
    const declared = this.#routes.add(route, options, listPolicies(policy).map(({ hook }) => hook))
    this.#policies[declared.index] = policy
    return declared
  }

  /**
   * The policy for a request in an instance-level hook of this phase; `null` for no policy. `'deferred'` if the hook of a
   * later phase applies it. An Error if the route was declared before the plugin and its config is wrong.
   */
  policyAt (phase: Phase, request: FastifyRequest): Policy | null | 'deferred' | Error {
    const config = this.#routes.getRouteConfig(request)
    const mark = config[kRoute]
    return mark?.routes === this.#routes ? this.#declaredAt(phase, mark.index, request) : this.#undeclaredAt(phase, config, request)
  }

  #declaredAt (phase: Phase, index: number, request: FastifyRequest): Policy | null | 'deferred' {
    // In later phases the hook in the route's own array applies it.
    if (phase !== 'onRequest') return null
    const policy = this.#pickPolicy(index, request)
    return policy === null || policy.hook === 'onRequest' ? policy : 'deferred'
  }

  #undeclaredAt (phase: Phase, config: RouteConfig, request: FastifyRequest): Policy | null | 'deferred' | Error {
    if (config.url === undefined) return this.#ifInPhase(phase, this.#policySet.findPolicyForUnknown(request))
    const early = this.#findEarlyPolicy(request, config)
    if (early instanceof Error) return phase === 'onRequest' ? early : null
    return this.#ifInPhase(phase, early.kind === 'fixed' ? early.policy : early.pick(request))
  }

  /** The policy of a request to a declared route, if it applies in this phase. */
  policyIn (phase: Phase, index: number, request: FastifyRequest): Policy | null {
    const policy = this.#pickPolicy(index, request)
    return policy?.hook === phase ? policy : null
  }

  /** All known routes: those declared after the plugin was loaded, and those before it that have had a request. */
  * known (): Generator<KnownRoute> {
    for (const route of this.#routes.all) yield { route, policy: this.#policies[route.index], isDeclaredBeforePlugin: false }
    for (const [config, route] of this.#routes.early) {
      yield { route, policy: this.#resolveEarlyPolicy(config, route), isDeclaredBeforePlugin: true }
    }
  }

  #pickPolicy (index: number, request: FastifyRequest): Policy | null {
    const route = this.#policies[index]
    return route.kind === 'fixed' ? route.policy : route.pick(request)
  }

  #ifInPhase (phase: Phase, policy: Policy | null): Policy | null | 'deferred' {
    if (policy === null) return null
    const due = this.undeclaredPhase(policy)
    return due === phase ? policy : phase === 'onRequest' ? 'deferred' : null
  }

  /** The phase that counts undeclared routes and unknown URLs. Only two phases have instance-level hooks. */
  undeclaredPhase (policy: Policy): Phase {
    return policy.hook === this.#policySet.base.hook ? policy.hook : 'onRequest'
  }

  #findEarlyPolicy (request: FastifyRequest, config: RouteConfig): RoutePolicy | Error {
    return this.#early.get(config) ?? this.#resolveEarlyPolicy(config, this.#routes.resolveEarlyRoute(request, config))
  }

  #resolveEarlyPolicy (config: RouteConfig, route: Route): RoutePolicy | Error {
    let policy = this.#early.get(config)
    if (policy === undefined) {
      policy = this.#compileEarlyPolicy(route)
      this.#early.set(config, policy)
      if (!(policy instanceof Error)) this.#warnAboutPhase(policy, route)
    }
    return policy
  }

  #compileEarlyPolicy (route: Route): RoutePolicy | Error {
    try {
      return memoizePick(this.#policySet.compileRoute(route))
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
  }

  #warnAboutPhase (policy: RoutePolicy, { method, url }: Route): void {
    const late = listPolicies(policy).find((one) => this.undeclaredPhase(one) !== one.hook)
    if (late === undefined) return
    process.emitWarning(
      `${String(method)} ${url} was declared before the rate limiter was loaded, so it is counted in onRequest and not in ${late.hook}; ` +
      'await the registration of the plugin before you declare the route',
      { code: warnings.lateHook }
    )
  }
}

/** Hooks are attached when a route is declared, and cannot be added later. */
function checkPhases (route: RoutePolicy, { phases }: DeclaredRoute): void {
  const late = listPolicies(route).find(({ hook }) => !phases.has(hook))
  if (late !== undefined) throw new FST_SLUICE_FIXED_OPTION(`${late.place}.hook`)
}

/** Validation may change parameters between phases. A second pick could return a policy whose phase is already over. */
function memoizePick (route: RoutePolicy): RoutePolicy {
  if (route.kind === 'fixed' || route.policies.every(({ hook }) => hook === 'onRequest')) return route
  const picked = new WeakMap<RequestTarget, Policy | null>()
  const pick = (request: RequestTarget): Policy | null => {
    const known = picked.get(request)
    if (known !== undefined) return known
    const policy = route.pick(request)
    picked.set(request, policy)
    return policy
  }
  return { ...route, pick }
}

/** Every policy that can apply to a request to a route. */
export function listPolicies (route: RoutePolicy): readonly Policy[] {
  if (route.kind === 'by-request') return route.policies
  return route.policy === null ? [] : [route.policy]
}
