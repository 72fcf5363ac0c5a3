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

/** A route that the registration has met. */
export interface KnownRoute {
  readonly route: Route
  /** An Error where the config of a route from before the plugin is wrong. */
  readonly policy: RoutePolicy | Error
  /** Whether it was declared before the plugin was loaded: its `constraints` are made up then. */
  readonly isDeclaredBeforePlugin: boolean
}

/**
 * Finds the policy of a request under one set of policies: by number for declared routes, by its config for those that
 * came before the plugin.
 */
export class RouteTable {
  readonly #policySet: PolicySet
  readonly #routes: DeclaredRoutes
  readonly #policies: RoutePolicy[]
  /** Routes that were declared before the plugin was loaded; `Error` where their config is wrong. */
  readonly #early = new WeakMap<RouteConfig, RoutePolicy | Error>()

  /**
   * For the routes that are known already. `before`: the table that this one follows. Throws what wrong options throw, and
   * FST_SLUICE_FIXED_OPTION where a route would be counted in a phase in which it has no hook.
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
      // A config that was wrong before is nothing that a new set of policies could be to blame for.
      if (policy instanceof Error && !(previous !== null && previous.#early.get(config) instanceof Error)) throw policy
      this.#early.set(config, policy)
    }
  }

  /** Compile what a route does that is being declared. Throws what wrong options throw. */
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
   * The policy to apply to a request in an instance-level hook of this phase, `null` when there is none, `'later'` where the
   * hook of a later phase applies one. An Error where the config of a route that was declared before the plugin is wrong.
   */
  policyAt (phase: Phase, request: FastifyRequest): Policy | null | 'later' | Error {
    const config = this.#routes.getRouteConfig(request)
    const mark = config[kRoute]
    return mark?.routes === this.#routes ? this.#declaredAt(phase, mark.index, request) : this.#undeclaredAt(phase, config, request)
  }

  #declaredAt (phase: Phase, index: number, request: FastifyRequest): Policy | null | 'later' {
    // In a later phase the hook in the route's own array applies it.
    if (phase !== 'onRequest') return null
    const policy = this.#pickPolicy(index, request)
    return policy === null || policy.hook === 'onRequest' ? policy : 'later'
  }

  #undeclaredAt (phase: Phase, config: RouteConfig, request: FastifyRequest): Policy | null | 'later' | Error {
    if (config.url === undefined) return this.#ifInPhase(phase, this.#policySet.findPolicyForUnknown(request))
    const early = this.#findEarlyPolicy(request, config)
    if (early instanceof Error) return phase === 'onRequest' ? early : null
    return this.#ifInPhase(phase, early.kind === 'fixed' ? early.policy : early.pick(request))
  }

  /** The policy of a declared route's request, if this is its phase. */
  policyIn (phase: Phase, index: number, request: FastifyRequest): Policy | null {
    const policy = this.#pickPolicy(index, request)
    return policy?.hook === phase ? policy : null
  }

  /** Every route that is known: those declared since the plugin was loaded, and the earlier ones that were asked for. */
  * known (): Generator<KnownRoute> {
    for (const route of this.#routes.all) yield { route, policy: this.#policies[route.index], isDeclaredBeforePlugin: false }
    for (const [config, route] of this.#routes.early) yield { route, policy: this.#resolveEarlyPolicy(config, route), isDeclaredBeforePlugin: true }
  }

  #pickPolicy (index: number, request: FastifyRequest): Policy | null {
    const route = this.#policies[index]
    return route.kind === 'fixed' ? route.policy : route.pick(request)
  }

  #ifInPhase (phase: Phase, policy: Policy | null): Policy | null | 'later' {
    if (policy === null) return null
    const due = this.undeclaredPhase(policy)
    return due === phase ? policy : phase === 'onRequest' ? 'later' : null
  }

  /** In which phase undeclared routes and unknown URLs are counted: instance-level hooks meet them, which there are for two. */
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
    process.emitWarning(`${String(method)} ${url} was declared before the rate limiter was loaded, so it is counted in onRequest and not in ${late.hook}; await the registration first`, { code: warnings.lateHook })
  }
}

/** Hooks are attached when a route is declared, so none can come later. */
function checkPhases (route: RoutePolicy, { phases }: DeclaredRoute): void {
  const late = listPolicies(route).find(({ hook }) => !phases.has(hook))
  if (late !== undefined) throw new FST_SLUICE_FIXED_OPTION(`${late.place}.hook`)
}

/** Between the phases validation changes parameters; picked anew, a request could miss the phase of every policy it has. */
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

/** Every policy that a request to a route may have. */
export function listPolicies (route: RoutePolicy): readonly Policy[] {
  if (route.kind === 'by-request') return route.policies
  return route.policy === null ? [] : [route.policy]
}
