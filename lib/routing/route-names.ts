/** What is known of a route when it is declared. */
export interface Route {
  readonly method: string | readonly string[]
  readonly url: string
  readonly constraints: Readonly<Record<string, unknown>> | undefined
  /** `config.rateLimit` as the user wrote it. */
  readonly rateLimit: unknown
  /** The method to name it by, where `method` would not always be the same for the same route. */
  readonly namedAs?: string
}

/** Names routes for their buckets: two of one URL that differ by host or version are two; HEAD is what GET is. */
export class RouteNames {
  /** What GET is declared together with, by URL and constraints. */
  readonly #methodsWithGet = new Map<string, string>()
  /** What was answered once stays: a new set of policies must find the buckets of the old one. */
  readonly #names = new WeakMap<Route, string>()

  /** Asked about routes in the order of their declaration. */
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
    // Below a prefix, Fastify declares GET without its trailing slash and HEAD both ways.
    const twin = [key, toRouteKey(route.url.replace(/\/$/, ''), route)].find((key) => this.#methodsWithGet.has(key)) ?? key
    return `${this.#methodsWithGet.get(twin) ?? 'GET'} ${twin}`
  }
}

/** A route as messages name it. */
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
