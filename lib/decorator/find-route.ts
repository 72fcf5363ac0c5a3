import { isDeepStrictEqual } from 'node:util'
import type { FastifyInstance } from 'fastify'
import { badOption } from '../config/schema/check.js'
import type { RouteQuery } from './explanation.js'
import { interpretRoutePath, interpretRawPath } from '../routing/request-path.js'
import { readRouterOptions } from '../routing/router-options.js'
import { type RouterOptions } from '../routing/router-options.js'
import type { PathSegments } from '../routing/pattern.js'
import type { Route } from '../routing/route-names.js'
import { parseRouteShape } from '../routing/route-shape.js'
import type { KnownRoute } from '../policies/route-table.js'

const PLACE = 'rateLimit.explain'
const EXPECTED = 'a route such as "GET /login" or { method: "GET", url: "/login" }'

/** Read which route is asked about. Throws FST_SLUICE_BAD_OPTION. */
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
  if (constraints !== undefined && !isRecord(constraints)) throw badOption(`${PLACE}.constraints`, 'an object such as { version: "1.0.0" }', constraints)
  return { method: method.toUpperCase(), url, constraints }
}

/**
 * The route that is meant: by its pattern, else the one that the router gives such a URL to. `'elsewhere'` where the
 * application has one, and it is not among those known; `null` where it has none.
 *
 * Throws FST_SLUICE_BAD_OPTION where only constraints could tell which one is meant.
 */
export function findRoute (query: RouteQuery, known: Iterable<KnownRoute>, fastify: FastifyInstance): KnownRoute | 'elsewhere' | null {
  const routed: { readonly params: unknown } | null = fastify.findRoute(query)
  const isRouted = routed !== null || isDeclared(fastify, query)
  const candidates = [...known].filter(({ route }) => hasMethod(route, query.method, isRouted))
  const named = candidates.filter(({ route }) => route.url === query.url)
  const routerOptions = readRouterOptions(fastify)
  const found = named.length > 0 || routed === null ? named : candidates.filter(({ route }) => acceptsUrl(route, query.url, routed.params, routerOptions))

  const alike = found.filter(({ route, isDeclaredBeforePlugin }) => !isDeclaredBeforePlugin && isDeepStrictEqual(route.constraints ?? {}, query.constraints ?? {}))
  if (alike.length > 0) return preferMethod(alike, query.method)
  if (isRouted) {
    // What those from before the plugin ask for is not known.
    const early = found.filter(({ isDeclaredBeforePlugin }) => isDeclaredBeforePlugin)
    return early.length > 0 && isSameRoute(early) ? preferMethod(early, query.method) : 'elsewhere'
  }
  if (query.constraints !== undefined || found.length === 0) return null
  if (isSameRoute(found)) return preferMethod(found, query.method)
  throw badOption(`${PLACE}.constraints`, `those of one of the ${found.length} routes ${query.method} ${query.url}`, undefined)
}

/** Whether a route answers a method. For HEAD, that is a matter of the router too: Fastify derives such routes, and need not. */
function hasMethod ({ method }: Route, wantedMethod: string, isRouted: boolean): boolean {
  const methods = [method].flat()
  return methods.includes(wantedMethod) || (wantedMethod === 'HEAD' && isRouted && methods.includes('GET'))
}

/** One that was declared with the very method goes first: HEAD may have a config of its own. */
function preferMethod (routes: readonly KnownRoute[], wantedMethod: string): KnownRoute {
  return routes.find(({ route }) => [route.method].flat().includes(wantedMethod)) ?? routes[0]
}

/** Whether routes of one URL are the same one, but for HEAD. */
function isSameRoute (routes: readonly KnownRoute[]): boolean {
  return routes.every(({ route }) => isDeepStrictEqual(route.constraints, routes[0].route.constraints))
}

/** Whether a route, with the parameters that the router found, has a path. */
function acceptsUrl ({ url }: Route, wantedUrl: string, params: unknown, routerOptions: RouterOptions): boolean {
  const shape = parseRouteShape(url, routerOptions)
  if (shape.beforeRest !== null && !(isRecord(params) && '*' in params)) return false
  return isDeepStrictEqual(toRawSegments(interpretRoutePath(shape, { method: '', url: wantedUrl, params }, routerOptions)), toRawSegments(interpretRawPath(wantedUrl, routerOptions)))
}

/** Empty segments are a matter of the router's settings, and it has decided. */
function toRawSegments (interpretations: readonly PathSegments[]): PathSegments {
  return interpretations[interpretations.length - 1].filter((segment) => segment !== '')
}

function isDeclared (fastify: FastifyInstance, query: RouteQuery): boolean {
  try {
    return fastify.hasRoute(query)
  } catch {
    // What the router cannot read is no route's pattern.
    return false
  }
}

function isRecord (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
