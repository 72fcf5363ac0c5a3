import type { FastifyRequest, RouteOptions } from 'fastify'
import { warnings } from '../errors.js'
import type { PolicyBook, RoutePolicy } from './book.js'
import { routeConfigReader } from './route-config.js'
import type { Phase, Policy } from './policy.js'
import type { RequestTarget } from './request-path.js'

/** Where a route's config keeps which table knows it, and under which number. */
export const kRoute = Symbol('fastify-sluice.route')

/** Found on the config of a route that was declared while the plugin was there. */
export interface RouteMark {
  readonly table: RouteTable
  readonly index: number
}

/** Finds the policy of a request: by number for declared routes, by its config for those that came before the plugin. */
export class RouteTable {
  readonly #book: PolicyBook
  readonly #configOf = routeConfigReader()
  readonly #policies: RoutePolicy[] = []
  /** Routes that were declared before the plugin was loaded; `Error` where their config is wrong. */
  readonly #late = new WeakMap<object, RoutePolicy | Error>()

  constructor (book: PolicyBook) {
    this.#book = book
  }

  /** Compile what a route does, and mark the route with it. Throws what wrong options throw. */
  declare (route: RouteOptions): RoutePolicy {
    const policy = pickingOnce(this.#book.policyOf({
      method: route.method, url: route.url, constraints: route.constraints, rateLimit: route.config?.rateLimit
    }))
    const mark: RouteMark = { table: this, index: this.#policies.push(policy) - 1 }
    // Fastify copies the config when the route is built, and keys that are symbols go with it.
    route.config = { ...route.config, [kRoute]: mark }
    return policy
  }

  /**
   * The policy to apply to a request in an instance-level hook of this phase, or `null` when there is none.
   * An Error where the config of a route that was declared before the plugin is wrong.
   */
  policyAt (phase: Phase, request: FastifyRequest): Policy | null | Error {
    const config = this.#configOf(request)
    const mark = config[kRoute]
    if (mark?.table === this) {
      // In a later phase the hook in the route's own array applies it.
      return phase === 'onRequest' ? policyIn(phase, this.#policies[mark.index], request) : null
    }
    if (config.url === undefined) return this.#inPhase(phase, this.#book.policyOfUnknown(request))
    const late = this.#latePolicy(request, config)
    if (late instanceof Error) return phase === 'onRequest' ? late : null
    return this.#inPhase(phase, late.kind === 'fixed' ? late.policy : late.pick(request))
  }

  #inPhase (phase: Phase, policy: Policy | null): Policy | null {
    return policy !== null && this.#undeclaredPhase(policy) === phase ? policy : null
  }

  /** Undeclared routes are met by instance-level hooks only, which there are for two phases. */
  #undeclaredPhase (policy: Policy): Phase {
    return policy.hook === this.#book.base.hook ? policy.hook : 'onRequest'
  }

  #latePolicy (request: FastifyRequest, config: FastifyRequest['routeOptions']['config']): RoutePolicy | Error {
    let policy = this.#late.get(config)
    if (policy === undefined) {
      policy = this.#compileLate(request.routeOptions)
      this.#late.set(config, policy)
    }
    return policy
  }

  #compileLate ({ method = [], url = '', config }: FastifyRequest['routeOptions']): RoutePolicy | Error {
    try {
      // HEAD may be asked for first, and does not tell which methods its GET was declared with.
      const namedAs = [method].flat().some((name) => name === 'GET' || name === 'HEAD') ? 'GET' : undefined
      // Constraints are not known here, so routes of one URL are told apart by their options.
      const policy = pickingOnce(this.#book.policyOf({ method, namedAs, url, constraints: { late: JSON.stringify(config.rateLimit) }, rateLimit: config.rateLimit }))
      const late = policiesOf(policy).find((one) => this.#undeclaredPhase(one) !== one.hook)
      if (late !== undefined) {
        process.emitWarning(`${String(method)} ${url} was declared before the rate limiter was loaded, so it is counted in onRequest and not in ${late.hook}; await the registration first`, { code: warnings.lateHook })
      }
      return policy
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
  }
}

/** Between the phases validation changes parameters; picked anew, a request could miss the phase of every policy it has. */
function pickingOnce (route: RoutePolicy): RoutePolicy {
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

/** The policy of a route's request, if this is its phase. */
export function policyIn (phase: Phase, route: RoutePolicy, request: FastifyRequest): Policy | null {
  const policy = route.kind === 'fixed' ? route.policy : route.pick(request)
  return policy?.hook === phase ? policy : null
}

/** Every policy that a request to a route may have. */
export function policiesOf (route: RoutePolicy): readonly Policy[] {
  if (route.kind === 'by-request') return route.policies
  return route.policy === null ? [] : [route.policy]
}

declare module 'fastify' {
  interface FastifyContextConfig {
    [kRoute]?: RouteMark
  }
}
