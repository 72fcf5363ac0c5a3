/** The properties of a route at its declaration. */
export interface Route {
  readonly method: string | readonly string[]
  readonly url: string
  readonly constraints: Readonly<Record<string, unknown>> | undefined
  /** `config.rateLimit`, not validated yet. */
  readonly rateLimit: unknown
  /** The method in the route's name, if `method` is not always the same for the same route. */
  readonly namedAs?: string
}

/** Names routes for their buckets. Routes with one URL and different constraints have different names. HEAD counts as GET. */
export class RouteNames {
  /** The methods declared together with GET, by URL and constraints. */
  readonly #methodsWithGet = new Map<string, string>()
  /** Names never change: after a reload the new policies must use the same buckets. */
  readonly #names = new WeakMap<Route, string>()

  /** Must be called for routes in the order of their declaration. */
  getName (route: Route): string {
    const known = this.#names.get(route)
    if (known !== undefined) return known
    const name = this.#createName(route)
    this.#names.set(route, name)
    return name
  }

  #createName (route: Route): string {
    const key = toRouteKey(route.url, route)
    const method = route.namedAs ?? route.method
    if (method !== 'HEAD') {
      const methods = normalizeMethods({ method })
      if (methods.includes('GET')) this.#methodsWithGet.set(key, methods.join(','))
      return `${methods.join(',')} ${key}`
    }
    // Below a prefix, Fastify declares GET without a trailing slash, and HEAD with and without it.
    const twin = [key, toRouteKey(route.url.replace(/\/$/, ''), route)].find((key) => this.#methodsWithGet.has(key)) ?? key
    return `${this.#methodsWithGet.get(twin) ?? 'GET'} ${twin}`
  }
}

/** Format a route for messages. */
export function formatRoute (route: Pick<Route, 'method' | 'url'>): string {
  return `${normalizeMethods(route).join(',')} ${route.url}`
}

/** HEAD counts as GET: the two share one bucket. */
export function normalizeMethods ({ method }: Pick<Route, 'method'>): string[] {
  const methods = typeof method === 'string' ? [method] : method
  return [...new Set(methods.map((method) => method === 'HEAD' ? 'GET' : method))].sort()
}

function toRouteKey (url: string, { constraints = {} }: Route): string {
  const conditions = Object.entries(constraints).sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, value]) => `${name}=${String(value)}`)
  return `${url}${conditions.length === 0 ? '' : ` ${JSON.stringify(conditions)}`}`
}
