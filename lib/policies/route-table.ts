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

/** The hook of a declared route is in its own array, after those of the application. Other requests have one of the scope. */
export type LaterHook = 'route' | 'scope'

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
      const policy = policySet.compileRoute(route)
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
    const policy = this.#policySet.compileRoute(route)
    const declared = this.#routes.add(route, options, listPolicies(policy).map(({ hook }) => hook))
    this.#policies[declared.index] = policy
    return declared
  }

  /** The policy of a request; `null` for none. An Error if the route was declared before the plugin and its config is wrong. */
  findPolicy (request: FastifyRequest): Policy | null | Error {
    const config = this.#routes.getRouteConfig(request)
    const mark = config[kRoute]
    if (mark?.routes === this.#routes) return pickPolicy(this.#policies[mark.index], request)
    if (config.url === undefined) return this.#findPolicyForUnknown(request)
    const early = this.#findEarlyPolicy(request, config)
    return early instanceof Error ? early : pickPolicy(early, request)
  }

  #findPolicyForUnknown (request: FastifyRequest): Policy | null {
    return this.#routes.answered.accepts(request) ? null : this.#policySet.findPolicyForUnknown(request)
  }

  /** The hook of a later phase that applies the policy of a request; `null` if none does. */
  findLaterHook (policy: Policy, request: FastifyRequest): LaterHook | null {
    if (policy.hook === 'onRequest') return null
    if (this.#isDeclared(request)) return 'route'
    return this.undeclaredPhase(policy) === policy.hook ? 'scope' : null
  }

  #isDeclared (request: FastifyRequest): boolean {
    return this.#routes.getRouteConfig(request)[kRoute]?.routes === this.#routes
  }

  /** All known routes: those declared after the plugin was loaded, and those before it that have had a request. */
  * known (): Generator<KnownRoute> {
    for (const route of this.#routes.all) yield { route, policy: this.#policies[route.index], isDeclaredBeforePlugin: false }
    for (const [config, route] of this.#routes.early) {
      yield { route, policy: this.#resolveEarlyPolicy(config, route), isDeclaredBeforePlugin: true }
    }
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
      return this.#policySet.compileRoute(route)
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

function pickPolicy (route: RoutePolicy, request: RequestTarget): Policy | null {
  return route.kind === 'fixed' ? route.policy : route.pick(request)
}

/** Every policy that can apply to a request to a route. */
export function listPolicies (route: RoutePolicy): readonly Policy[] {
  if (route.kind === 'by-request') return route.policies
  return route.policy === null ? [] : [route.policy]
}
