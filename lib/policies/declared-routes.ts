import type { FastifyRequest, RouteOptions } from 'fastify'
import type { Phase } from '../config/schema/policy-schema.js'
import { createRouteConfigReader, type RouteConfig } from '../routing/route-config.js'
import { RouteNames, type Route } from '../routing/route-names.js'

/** Where a route's config keeps which registration knows it, and under which number. */
export const kRoute = Symbol('fastify-sluice.route')

/** Found on the config of a route that was declared while the plugin was there. */
export interface RouteMark {
  readonly routes: DeclaredRoutes
  readonly index: number
}

/** A route, and the phases in whose hooks it can be limited. */
export interface DeclaredRoute extends Route {
  readonly index: number
  readonly phases: ReadonlySet<Phase>
}

/**
 * The routes that one registration has met: those declared since it was loaded, by number, and those declared before, by
 * their configs. They stay when the set of policies is exchanged.
 */
export class DeclaredRoutes {
  readonly names = new RouteNames()
  readonly getRouteConfig = createRouteConfigReader()
  readonly #routes: DeclaredRoute[] = []
  /** Those that were declared before the plugin, each from its first request on. */
  readonly #early = new Map<RouteConfig, Route>()

  get all (): readonly DeclaredRoute[] {
    return this.#routes
  }

  get early (): ReadonlyMap<RouteConfig, Route> {
    return this.#early
  }

  /** Number a route that is declared with these options, and mark it. It gets a hook for each of `phases`. */
  add (route: Route, options: RouteOptions, phases: Iterable<Phase>): DeclaredRoute {
    const declared = Object.assign(route, { index: this.#routes.length, phases: new Set<Phase>(phases).add('onRequest') })
    this.#routes.push(declared)
    const mark: RouteMark = { routes: this, index: declared.index }
    // Fastify copies the config when the route is built, and keys that are symbols go with it.
    options.config = { ...options.config, [kRoute]: mark }
    return declared
  }

  /** The route of a request that was declared before the plugin. */
  resolveEarlyRoute (request: FastifyRequest, config: RouteConfig): Route {
    let route = this.#early.get(config)
    if (route === undefined) {
      route = describeEarly(request.routeOptions)
      this.#early.set(config, route)
    }
    return route
  }
}

function describeEarly ({ method = [], url = '', config: { rateLimit } }: FastifyRequest['routeOptions']): Route {
  // HEAD may be asked for first, and does not tell which methods its GET was declared with.
  const namedAs = [method].flat().some((name) => name === 'GET' || name === 'HEAD') ? 'GET' : undefined
  // Constraints are not known here, so routes of one URL are told apart by their options.
  return { method, namedAs, url, constraints: { late: JSON.stringify(rateLimit) }, rateLimit }
}

declare module 'fastify' {
  interface FastifyContextConfig {
    [kRoute]?: RouteMark
  }
}
