import { badOption, checkOptions } from '../config/check.js'
import { RouteRateLimitSchema, type RateLimitOptions, type RouteRateLimit } from '../config/schema.js'
import { FST_SLUICE_TOO_MANY_GROUPS, FST_SLUICE_UNEQUAL_LIMITS } from '../errors.js'
import type { Limit } from '../stores/store.js'
import { compilePolicy, limitsInWords } from './compile.js'
import { builtInDraft, hasLimitFields, layPolicy, type PolicyDraft } from './draft.js'
import type { Policy } from './policy.js'

/** What is known of a route when it is declared. */
export interface Route {
  readonly method: string | readonly string[]
  readonly url: string
  readonly constraints: Readonly<Record<string, unknown>> | undefined
  /** `config.rateLimit` as the user wrote it. */
  readonly rateLimit: unknown
}

/** More scopes than any application names; reached, somebody puts a client's id into `groupId`. */
const MOST_GROUPS = 10_000

/** The current set of policies of one registration. Routes look theirs up once, when they are declared. */
export class PolicyBook {
  /** For unknown URLs, and for routes without limits of their own; `null` where `global` is false. */
  readonly fallback: Policy | null
  /** The policy of the registration itself, whether or not it is global. */
  readonly base: Policy

  readonly #registration: string
  readonly #draft: PolicyDraft
  readonly #limitsOfScope = new Map<string, string>()
  readonly #buckets = new Map<string, { readonly limit: Limit, readonly scope: string }>()
  /** What GET is declared together with, by URL and constraints. */
  readonly #methodsWithGet = new Map<string, string>()
  #groups = 0

  /** Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION. */
  constructor (registration: string, options: RateLimitOptions) {
    this.#registration = registration
    this.#draft = layPolicy(builtInDraft, policyOptionsOf(options), 'default', 'rateLimit')
    this.base = this.#compile(this.#draft, 'rateLimit')
    this.fallback = options.global === false ? null : this.base
  }

  /** Every limit of every policy, each set of buckets once. */
  limits (): Limit[] {
    return Array.from(this.#buckets.values(), ({ limit }) => limit)
  }

  /** The scope that a limit of `limits()` belongs to. */
  scopeOf (limit: Limit): string {
    return this.#buckets.get(limit.bucket)?.scope ?? ''
  }

  /** The policy of a route, or `null` when it is not limited. Throws what wrong options throw. */
  policyOf (route: Route): Policy | null {
    const { rateLimit } = route
    if (rateLimit === undefined) return this.fallback
    if (rateLimit === false) return null
    const place = `${methodsOf(route).join(',')} ${route.url} config.rateLimit`
    if (typeof rateLimit !== 'object' || rateLimit === null || Array.isArray(rateLimit)) {
      throw badOption(place, 'an object of rate-limit options, or false', rateLimit)
    }
    checkOptions(RouteRateLimitSchema, rateLimit, place)
    return this.#compile(layPolicy(this.#draft, rateLimit, `route:${this.#identityOf(route)}`, place), place)
  }

  /**
   * The policy of a guard or a check. Limits of its own need a `groupId`, for there is no route to name their buckets.
   * Throws what wrong options throw.
   */
  policyFor (options: RouteRateLimit, place: string): Policy {
    checkOptions(RouteRateLimitSchema, options, place)
    if (hasLimitFields(options) && options.groupId === undefined) {
      throw badOption(`${place}.groupId`, 'a name for the buckets of these limits', undefined)
    }
    return this.#compile(layPolicy(this.#draft, options, 'default', place), place)
  }

  /** Two routes of one URL that differ by host or version are two scopes; HEAD is in the scope that GET is in. */
  #identityOf (route: Route): string {
    const where = placeOf(route.url, route)
    if (route.method !== 'HEAD') {
      const methods = methodsOf(route)
      if (methods.includes('GET')) this.#methodsWithGet.set(where, methods.join(','))
      return `${methods.join(',')} ${where}`
    }
    // Below a prefix, Fastify declares GET without its trailing slash and HEAD both ways.
    const twin = [where, placeOf(route.url.replace(/\/$/, ''), route)].find((place) => this.#methodsWithGet.has(place)) ?? where
    return `${this.#methodsWithGet.get(twin) ?? 'GET'} ${twin}`
  }

  #compile (draft: PolicyDraft, place: string): Policy {
    const policy = compilePolicy(this.#registration, draft, place)
    const words = limitsInWords(policy.limits)
    const known = this.#limitsOfScope.get(policy.scope)
    if (known === undefined) {
      if (policy.scope.startsWith('group:') && ++this.#groups > MOST_GROUPS) throw new FST_SLUICE_TOO_MANY_GROUPS(String(MOST_GROUPS))
      this.#limitsOfScope.set(policy.scope, words)
    } else if (known !== words) {
      throw new FST_SLUICE_UNEQUAL_LIMITS(place, `${policy.scope} has the limits ${known} already`, words)
    }
    for (const limit of policy.limits) this.#buckets.set(limit.bucket, { limit, scope: policy.scope })
    return policy
  }
}

function policyOptionsOf (options: RateLimitOptions): RouteRateLimit {
  const {
    name, global, enabled, memory, ipv6Subnet, redis, keyPrefix, deadline, breaker, connections, maxPending, health, headers, ...policy
  } = options
  return policy
}

/** HEAD counts as GET: the two share one bucket. */
function methodsOf (route: Route): string[] {
  const methods = typeof route.method === 'string' ? [route.method] : route.method
  return [...new Set(methods.map((method) => method === 'HEAD' ? 'GET' : method))].sort()
}

function placeOf (url: string, { constraints = {} }: Route): string {
  const conditions = Object.entries(constraints).sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, value]) => `${name}=${String(value)}`)
  return `${url}${conditions.length === 0 ? '' : ` ${JSON.stringify(conditions)}`}`
}
