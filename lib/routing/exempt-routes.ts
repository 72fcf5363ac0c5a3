import type { RouterOptions } from './router-options.js'
import { relate, parseRouteShape } from './route-shape.js'
import { compilePattern } from './rule-set.js'

/** Whole segments only: a route `/docstrings` is nobody's documentation. */
const DEFAULT_EXEMPT_ROUTES = ['/health/*', '/healthz', '/livez', '/readyz', '/metrics', '/docs/*', '/documentation/*']

/**
 * Which routes are exempt by their full URL: so `/health`, but not `/v1/health`.
 *
 * `patterns`: `exempt.routes`, in place of the built-in list, and for every method; the built-in list is for GET and HEAD.
 * A route is exempt if a pattern has all of its paths: `/docs/*` exempts `/docs/:page`, and no pattern but `/*` a
 * route `/*`. It is for the caller to ask only about routes without a config and a rule of their own, never about unknown URLs.
 * Throws FST_SLUICE_BAD_OPTION where a text is no pattern.
 */
export function createExemptMatcher (
  patterns: readonly string[] | undefined, routerOptions: RouterOptions, place = 'rateLimit.exempt.routes'
): (methods: readonly string[], url: string) => boolean {
  const exempt = (patterns ?? DEFAULT_EXEMPT_ROUTES).map((text, index) => compilePattern(text, routerOptions, `${place}[${index}]`))
  return (methods, url) => {
    if (patterns === undefined && !methods.every(isReadMethod)) return false
    const shape = parseRouteShape(url, routerOptions)
    return exempt.some((pattern) => relate(pattern, shape) === 'always')
  }
}

function isReadMethod (method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}
