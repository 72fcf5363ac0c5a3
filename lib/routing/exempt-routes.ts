import type { RouterOptions } from './router-options.js'
import { relate, parseRouteShape } from './route-shape.js'
import { compilePattern } from './rule-set.js'

/** Whole segments only: a route `/docstrings` is no documentation. */
const DEFAULT_EXEMPT_ROUTES = ['/health/*', '/healthz', '/livez', '/readyz', '/status', '/metrics', '/docs/*', '/documentation/*']

/**
 * Create a function that returns whether a route is exempt by its full URL: `/health` is, `/v1/health` is not.
 *
 * `patterns`: the option `exempt.routes`, for every method. Default: the built-in list, for GET and HEAD only.
 *
 * A route is exempt if a pattern matches all of its paths. So `/docs/*` exempts `/docs/:page`, and only `/*` exempts
 * `/*`. The caller must check that the route has no config and no rule. Unknown URLs are never exempt.
 *
 * Throws FST_SLUICE_BAD_OPTION for an invalid pattern.
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
