import { isDeepStrictEqual } from 'node:util'
import type { FastifyInstance } from 'fastify'
import { isRecord } from '../common/type-guards.js'
import { badOption } from '../config/schema/check.js'
import type { RouteQuery } from './explanation.js'
import { interpretRoutePath, interpretRawPath } from '../routing/request-path.js'
import { readRouterOptions, type RouterOptions } from '../routing/router-options.js'
import type { PathSegments } from '../routing/pattern.js'
import type { Route } from '../routing/route-names.js'
import { parseRouteShape } from '../routing/route-shape.js'
import type { KnownRoute } from '../policies/route-table.js'

const PLACE = 'rateLimit.explain'
const EXPECTED = 'a route such as "GET /login" or { method: "GET", url: "/login" }'

/** Parse the argument of `explain`. Throws FST_SLUICE_BAD_OPTION. */
export function parseRouteQuery (query: unknown): RouteQuery {
  if (typeof query === 'string') {
    const [, method, url] = /^([A-Za-z-]+) +(\S.*)$/.exec(query) ?? []
    if (method === undefined) throw badOption(PLACE, EXPECTED, query)
    return { method: method.toUpperCase(), url }
  }
  if (!isRecord(query)) throw badOption(PLACE, EXPECTED, query)
  const { method, url, constraints } = query
  if (typeof method !== 'string' || method === '') throw badOption(`${PLACE}.method`, 'an HTTP method', method)
  if (typeof url !== 'string') throw badOption(`${PLACE}.url`, 'the pattern of a route', url)
  if (constraints !== undefined && !isRecord(constraints)) {
    throw badOption(`${PLACE}.constraints`, 'an object such as { version: "1.0.0" }', constraints)
  }
  return { method: method.toUpperCase(), url, constraints }
}

/**
 * Find a route by its pattern, or else the route that the router selects for such a URL. `'elsewhere'` if the application
 * has the route and it is not in `known`; `null` if the application does not have it.
 *
 * Throws FST_SLUICE_BAD_OPTION if several routes match and the query has no constraints.
 */
export function findRoute (query: RouteQuery, known: Iterable<KnownRoute>, fastify: FastifyInstance): KnownRoute | 'elsewhere' | null {
  const routed: { readonly params: unknown } | null = fastify.findRoute(query)
  const isRouted = routed !== null || isDeclared(fastify, query)
  const candidates = [...known].filter(({ route }) => hasMethod(route, query.method, isRouted))
  const named = candidates.filter(({ route }) => route.url === query.url)
  const routerOptions = readRouterOptions(fastify)
  const found = named.length > 0 || routed === null
    ? named
    : candidates.filter(({ route }) => acceptsUrl(route, query.url, routed.params, routerOptions))

  const { constraints = {} } = query
  const alike = found.filter(({ route, isDeclaredBeforePlugin }) => {
    return !isDeclaredBeforePlugin && isDeepStrictEqual(route.constraints ?? {}, constraints)
  })
  if (alike.length > 0) return preferMethod(alike, query.method)
  if (isRouted) {
    // The constraints of routes declared before the plugin are unknown.
    const early = found.filter(({ isDeclaredBeforePlugin }) => isDeclaredBeforePlugin)
    return early.length > 0 && isSameRoute(early) ? preferMethod(early, query.method) : 'elsewhere'
  }
  if (query.constraints !== undefined || found.length === 0) return null
  if (isSameRoute(found)) return preferMethod(found, query.method)
  throw badOption(`${PLACE}.constraints`, `the constraints of one of the ${found.length} routes ${query.method} ${query.url}`, undefined)
}

/** Whether a route accepts a method. For HEAD this depends on the router too: deriving HEAD routes is an option of Fastify. */
function hasMethod ({ method }: Route, wantedMethod: string, isRouted: boolean): boolean {
  const methods = [method].flat()
  return methods.includes(wantedMethod) || (wantedMethod === 'HEAD' && isRouted && methods.includes('GET'))
}

/** Prefer a route declared with exactly this method: HEAD may have its own config. */
function preferMethod (routes: readonly KnownRoute[], wantedMethod: string): KnownRoute {
  return routes.find(({ route }) => [route.method].flat().includes(wantedMethod)) ?? routes[0]
}

/** Whether routes with one URL are the same route, apart from HEAD. */
function isSameRoute (routes: readonly KnownRoute[]): boolean {
  return routes.every(({ route }) => isDeepStrictEqual(route.constraints, routes[0].route.constraints))
}

/** Whether a route matches a URL, given the parameters that the router found. */
function acceptsUrl ({ url }: Route, wantedUrl: string, params: unknown, routerOptions: RouterOptions): boolean {
  const shape = parseRouteShape(url, routerOptions)
  if (shape.beforeRest !== null && !(isRecord(params) && '*' in params)) return false
  const routePath = interpretRoutePath(shape, { method: '', url: wantedUrl, params }, routerOptions)
  return isDeepStrictEqual(toRawSegments(routePath), toRawSegments(interpretRawPath(wantedUrl, routerOptions)))
}

/** Drops empty segments: the router has already decided about them by its settings. */
function toRawSegments (interpretations: readonly PathSegments[]): PathSegments {
  return interpretations[interpretations.length - 1].filter((segment) => segment !== '')
}

function isDeclared (fastify: FastifyInstance, query: RouteQuery): boolean {
  try {
    return fastify.hasRoute(query)
  } catch {
    // The router throws for a URL that cannot be the pattern of a route.
    return false
  }
}
