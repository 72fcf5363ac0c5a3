import { createHash } from 'node:crypto'
import type { RouteOptions } from 'fastify'
import type { RateLimitDecorator } from '../index.js'
import { RouteNames } from '../routing/route-names.js'
import type { Clock } from '../common/clock.js'
import { BucketCounter } from './bucket-counter.js'
import type { Counter } from './counter.js'
import { CustomCounter, type FastifyRateLimitStore, type FastifyRateLimitStoreCtor } from './custom-store.js'
import type { CompatFaults } from './faults.js'
import { Limiter } from './limiter.js'
import { mergeOptions, createSettings, isStatic, type Inherited, type LimiterSettings } from './settings.js'
import { TallyCounter } from './tally-counter.js'

/** Longer names are hashed, not cut. The plugin accepts 128 characters, and the names of waits are a little longer. */
const MAX_NAME_LENGTH = 100

/** The counts of all routes without options of their own. */
const SHARED = 'shared'

/** The route of a custom store, with its whole config; of a limiter in code, an empty object. */
type RouteInfo = RouteOptions | Readonly<Record<string, never>>

interface ParentStore {
  child (params: object): FastifyRateLimitStore
}

/** Counts that registrations may share. */
export interface SharedCounts {
  /** The plugin's decorator. */
  readonly nativeLimiter: RateLimitDecorator
  /** The registration that first used each name of counts, and the numbers. */
  readonly claims: Map<string, { readonly registration: string, readonly numbers: string }>
}

/** What all limiters of a registration use. */
export interface LimiterServices extends SharedCounts {
  readonly registration: string
  /** The store of the registration; `null` to count in the plugin's buckets. */
  readonly sharedStore: FastifyRateLimitStoreCtor | null
  /** Milliseconds; for custom stores. */
  readonly deadlineMs: number | undefined
  readonly faults: CompatFaults
  readonly clock: Clock
}

/** Creates the limiters of one registration, and names their counts. */
export class Limiters {
  /** The limiter of all routes without options of their own. */
  readonly shared: Limiter
  readonly #services: LimiterServices
  readonly #inherited: Inherited
  readonly #routeNames = new RouteNames()
  /** Custom stores by the names of their counts. A group has one store. */
  readonly #stores = new Map<string, FastifyRateLimitStore>()
  readonly #counters = new Map<string, Counter>()
  #manualCount = 0
  #isReady = false

  /** Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION. */
  constructor (services: LimiterServices, inherited: Inherited) {
    this.#services = services
    this.#inherited = inherited
    this.shared = this.#createLimiter(SHARED, createSettings(inherited, 'rateLimit'))
  }

  /** Call it when the application is ready. */
  markReady (): void {
    this.#isReady = true
  }

  /** Creates the limiter of a route with the config `own`. HEAD shares the limiter of GET. */
  createRouteLimiter (route: RouteOptions, own: unknown): Limiter {
    const { method, url, constraints } = route
    const name = this.#routeNames.getName({ method, url, constraints, rateLimit: own })
    return this.#createFromOptions(own, `${name} config.rateLimit`, `route:${name}`, route)
  }

  /** The limiter of a call of a decorator: the shared one without options, else a separate one. */
  createManualLimiter (own: unknown, call: string): Limiter {
    if (own === undefined) return this.shared
    // As in the original, `null` is an object without options.
    return this.#createFromOptions(own ?? {}, `fastify.${call}`, this.#createCallName(own), {})
  }

  /**
   * Limiters that are created at the start have a name by their order. Later it depends on requests: then limiters with the
   * same options share a name, on all instances, so that one that is created for each request limits too.
   */
  #createCallName (own: unknown): string {
    const { registration } = this.#services
    if (!this.#isReady) return `call:${registration}:${++this.#manualCount}`
    return `call:${registration}:${JSON.stringify(own, (_key, value: unknown) => typeof value === 'function' ? String(value) : value)}`
  }

  #createFromOptions (own: unknown, place: string, name: string, info: RouteInfo): Limiter {
    const settings = mergeOptions(this.#inherited, own, place)
    return this.#createLimiter(settings.groupId === null ? name : `group:${settings.groupId}`, settings, info)
  }

  #createLimiter (fullName: string, settings: LimiterSettings, info?: RouteInfo): Limiter {
    const name = this.#claim(hashLong(fullName), settings)
    const known = this.#isReady ? this.#counters.get(name) : undefined
    const counter = known ?? this.#createCounter(name, settings, info)
    if (this.#isReady) this.#counters.set(name, counter)
    return new Limiter(settings, name, counter, this.#services.faults)
  }

  /** Counts of one name need equal numbers. Another registration with other numbers counts apart. */
  #claim (name: string, settings: LimiterSettings): string {
    const { claims, registration } = this.#services
    const { max, windowMs, ban } = settings
    const window = typeof windowMs === 'number' ? windowMs : 'function'
    const numbers = isStatic(settings) ? `${String(max)} ${window} ${ban}` : `any ${window}`
    const known = claims.get(name)
    if (known === undefined) claims.set(name, { registration, numbers })
    return known === undefined || known.registration === registration || known.numbers === numbers
      ? name
      : hashLong(`${name} of ${registration}`)
  }

  #createCounter (name: string, settings: LimiterSettings, info?: RouteInfo): Counter {
    const { nativeLimiter, sharedStore, deadlineMs, faults, clock } = this.#services
    const Store = settings.store ?? sharedStore
    if (Store !== null) {
      const store = this.#getOrCreateStore(name, Store, settings, info)
      return new CustomCounter(store, settings, deadlineMs, faults)
    }
    return isStatic(settings)
      ? new BucketCounter(nativeLimiter, name, settings)
      : new TallyCounter(nativeLimiter, name, settings, clock)
  }

  /** A child of the plugin's store, or a new store of the route's own class. A group has one. */
  #getOrCreateStore (
    name: string, Store: FastifyRateLimitStoreCtor, settings: LimiterSettings, routeInfo?: RouteInfo
  ): FastifyRateLimitStore {
    const known = this.#stores.get(name)
    if (known !== undefined) return known
    const params = { ...createStoreParams(settings), ...(routeInfo === undefined ? {} : { routeInfo }) }
    // The original's types promise the route's options, and its stores get those of the limiter, with the route in them.
    const root: ParentStore | undefined = Store === this.#services.sharedStore ? this.#stores.get(SHARED) : undefined
    const store = root === undefined ? new Store(params) : root.child(params)
    this.#stores.set(name, store)
    return store
  }
}

function hashLong (name: string): string {
  return name.length <= MAX_NAME_LENGTH ? name : `#${createHash('sha256').update(name).digest('base64url')}`
}

/** All options with their defaults, as the original passes them, and further ones of the route. */
function createStoreParams ({ rawOptions, max, windowMs, ban, hook, ipv6Subnet, skipOnError }: LimiterSettings): object {
  return {
    allowList: null,
    continueExceeding: false,
    exponentialBackoff: false,
    enableDraftSpec: false,
    ...rawOptions,
    max,
    timeWindow: windowMs,
    ban: ban ?? -1,
    hook,
    ipv6Subnet,
    skipOnError: skipOnError ?? false
  }
}
