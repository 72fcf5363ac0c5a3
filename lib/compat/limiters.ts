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

/** The route of a custom store, in the form of the original. */
interface RouteInfo {
  readonly method?: string | readonly string[]
  readonly url?: string
}

/** Creates the limiters of one registration, and names their counts. */
export class Limiters {
  /** The limiter of all routes without options of their own. */
  readonly shared: Limiter
  readonly #nativeLimiter: RateLimitDecorator
  readonly #inherited: Inherited
  readonly #deadlineMs: number | undefined
  readonly #faults: CompatFaults
  readonly #clock: Clock
  readonly #routeNames = new RouteNames()
  /** Custom stores by the names of their counts. A group has one store. */
  readonly #stores = new Map<string, FastifyRateLimitStore>()
  #manualCount = 0

  /** `nativeLimiter`: the plugin's decorator. Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION. */
  constructor (nativeLimiter: RateLimitDecorator, inherited: Inherited, deadlineMs: number | undefined, faults: CompatFaults, clock: Clock) {
    this.#nativeLimiter = nativeLimiter
    this.#inherited = inherited
    this.#deadlineMs = deadlineMs
    this.#faults = faults
    this.#clock = clock
    this.shared = this.#createLimiter(SHARED, createSettings(inherited, 'rateLimit'), {})
  }

  /** Creates the limiter of a route with the config `own`. HEAD shares the limiter of GET. */
  createRouteLimiter (route: RouteOptions, own: unknown): Limiter {
    const { method, url, constraints } = route
    const name = this.#routeNames.getName({ method, url, constraints, rateLimit: own })
    return this.#createFromOptions(own, `${name} config.rateLimit`, `route:${name}`, { method, url })
  }

  /** The limiter of a call of a decorator: the shared one without options, else a separate one. */
  createManualLimiter (own: unknown, call: string): Limiter {
    if (own === undefined) return this.shared
    return this.#createFromOptions(own, `fastify.${call}`, `call:${++this.#manualCount}`, {})
  }

  #createFromOptions (own: unknown, place: string, name: string, info: RouteInfo): Limiter {
    const settings = mergeOptions(this.#inherited, own, place)
    return this.#createLimiter(settings.groupId === null ? name : `group:${settings.groupId}`, settings, info)
  }

  #createLimiter (fullName: string, settings: LimiterSettings, info: RouteInfo): Limiter {
    const name = fullName.length <= MAX_NAME_LENGTH ? fullName : `#${createHash('sha256').update(fullName).digest('base64url')}`
    return new Limiter(settings, name, this.#createCounter(name, settings, info), this.#faults)
  }

  #createCounter (name: string, settings: LimiterSettings, info: RouteInfo): Counter {
    if (settings.store === null) {
      return isStatic(settings)
        ? new BucketCounter(this.#nativeLimiter, name, settings)
        : new TallyCounter(this.#nativeLimiter, name, settings, this.#clock)
    }
    const store = this.#getOrCreateStore(name, settings.store, settings, info)
    return new CustomCounter(store, settings, this.#deadlineMs, (error) => { this.#faults.report('store', error) })
  }

  /** A child of the plugin's store, or a new store of the route's own class. A group has one. */
  #getOrCreateStore (
    name: string, Store: FastifyRateLimitStoreCtor, { rawOptions, max, windowMs }: LimiterSettings, routeInfo: RouteInfo
  ): FastifyRateLimitStore {
    const known = this.#stores.get(name)
    if (known !== undefined) return known
    const params = { continueExceeding: false, exponentialBackoff: false, ...rawOptions, max, timeWindow: windowMs, routeInfo }
    const root = Store === this.#inherited.store ? this.#stores.get(SHARED) : undefined
    const store = root === undefined ? new Store(params) : root.child(params)
    this.#stores.set(name, store)
    return store
  }
}
