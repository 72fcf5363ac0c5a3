import type { FastifyRequest, RouteOptions } from 'fastify'
import type { Phase } from '../config/schema/policy-schema.js'
import { createRouteConfigReader, type RouteConfig } from '../routing/route-config.js'
import { RouteNames, type Route } from '../routing/route-names.js'

/** The key of the `RouteMark` in a route's config. */
export const kRoute = Symbol('fastify-sluice.route')

/** Marks the config of a route that was declared after the plugin: the registration that knows it, and its index. */
export interface RouteMark {
  readonly routes: DeclaredRoutes
  readonly index: number
}

/** A route, and the phases for which it has hooks. */
export interface DeclaredRoute extends Route {
  readonly index: number
  readonly phases: ReadonlySet<Phase>
}

/** Unknown URLs that the plugin answers itself, uncounted. */
export interface AnsweredPaths {
  has (method: string, url: string): boolean
  /** Whether a request to an unknown URL gets such an answer. */
  accepts (request: FastifyRequest): boolean
}

/**
 * The routes that one registration knows. Routes declared after it are stored by index, routes declared before it by
 * their config. They are kept when a reload replaces the policies.
 */
export class DeclaredRoutes {
  readonly names = new RouteNames()
  readonly getRouteConfig = createRouteConfigReader()
  readonly answered: AnsweredPaths
  readonly #routes: DeclaredRoute[] = []
  /** Routes declared before the plugin, added at their first request. */
  readonly #early = new Map<RouteConfig, Route>()

  constructor (answered: AnsweredPaths) {
    this.answered = answered
  }

  get all (): readonly DeclaredRoute[] {
    return this.#routes
  }

  get early (): ReadonlyMap<RouteConfig, Route> {
    return this.#early
  }

  /** Add a route that is being declared with these options, and mark its config. It gets a hook for each of `phases`. */
  add (route: Route, options: RouteOptions, phases: Iterable<Phase>): DeclaredRoute {
    const declared = Object.assign(route, { index: this.#routes.length, phases: new Set<Phase>(phases).add('onRequest') })
    this.#routes.push(declared)
    const mark: RouteMark = { routes: this, index: declared.index }
    // Fastify copies the config when it builds the route, including symbol keys.
    options.config = { ...options.config, [kRoute]: mark }
    return declared
  }

  /** The route of a request, if the route was declared before the plugin. */
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
  // The first request may be a HEAD. Its route does not contain the methods that GET was declared with.
  const namedAs = [method].flat().some((name) => name === 'GET' || name === 'HEAD') ? 'GET' : undefined
  // Constraints are unknown here, so the options distinguish routes with one URL.
  return { method, namedAs, url, constraints: { late: JSON.stringify(rateLimit) }, rateLimit }
}

declare module 'fastify' {
  interface FastifyContextConfig {
    [kRoute]?: RouteMark
  }
}
