import { createHash } from 'node:crypto'
import type { RouteOptions } from 'fastify'
import type { RateLimitDecorator } from '../index.js'
import { RouteNames } from '../routing/route-names.js'
import { BucketCounter } from './bucket-counter.js'
import type { Counter } from './counter.js'
import { CustomCounter, type FastifyRateLimitStore, type FastifyRateLimitStoreCtor } from './custom-store.js'
import type { CompatFaults } from './hook.js'
import { Limiter } from './limiter.js'
import { laidOver, settingsOf, type Inherited, type Settings } from './settings.js'

/** Longer names are hashed, never cut: the plugin takes 128 characters, and those of waits are a little longer. */
const LONGEST_NAME = 100

/** The counts of all routes without options of their own. */
const SHARED = 'shared'

/** Whose store a custom one is, as the original tells it. */
interface RouteInfo {
  readonly method?: string | readonly string[]
  readonly url?: string
}

/** Makes the limiters of one registration, and names their counts. */
export class Limiters {
  /** The limiter of all routes without options of their own. */
  readonly shared: Limiter
  readonly #counting: RateLimitDecorator
  readonly #inherited: Inherited
  readonly #deadlineMs: number | undefined
  readonly #faults: CompatFaults
  readonly #routeNames = new RouteNames()
  /** Custom stores by the names of the counts: a group has one. */
  readonly #stores = new Map<string, FastifyRateLimitStore>()
  #manual = 0

  /** `counting`: the plugin's decorator. Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION. */
  constructor (counting: RateLimitDecorator, inherited: Inherited, deadlineMs: number | undefined, faults: CompatFaults) {
    this.#counting = counting
    this.#inherited = inherited
    this.#deadlineMs = deadlineMs
    this.#faults = faults
    this.shared = this.#limiter(SHARED, settingsOf(inherited, 'rateLimit'), {})
  }

  /** The limiter of a route whose config says `own`. HEAD is what GET is. */
  ofRoute (route: RouteOptions, own: unknown): Limiter {
    const { method, url, constraints } = route
    const name = this.#routeNames.nameOf({ method, url, constraints, rateLimit: own })
    return this.#made(own, `${name} config.rateLimit`, `route:${name}`, { method, url })
  }

  /** The limiter of a call of one of the decorators: the shared one without options, else one of its own. */
  manual (own: unknown, call: string): Limiter {
    if (own === undefined) return this.shared
    return this.#made(own, `fastify.${call}`, `call:${++this.#manual}`, {})
  }

  #made (own: unknown, place: string, name: string, info: RouteInfo): Limiter {
    const settings = laidOver(this.#inherited, own, place)
    return this.#limiter(settings.groupId === null ? name : `group:${settings.groupId}`, settings, info)
  }

  #limiter (text: string, settings: Settings, info: RouteInfo): Limiter {
    const name = text.length <= LONGEST_NAME ? text : `#${createHash('sha256').update(text).digest('base64url')}`
    return new Limiter(settings, name, this.#counter(name, settings, info))
  }

  #counter (name: string, settings: Settings, info: RouteInfo): Counter {
    if (settings.store === null) return new BucketCounter(this.#counting, name, settings)
    return new CustomCounter(this.#storeOf(name, settings.store, settings, info), settings, this.#deadlineMs, (error) => { this.#faults.report('store', error) })
  }

  /** The plugin's store is asked for a child, a route's own is made. Of one group there is one. */
  #storeOf (name: string, Store: FastifyRateLimitStoreCtor, { given, max, windowMs }: Settings, routeInfo: RouteInfo): FastifyRateLimitStore {
    const known = this.#stores.get(name)
    if (known !== undefined) return known
    const params = { continueExceeding: false, exponentialBackoff: false, ...given, max, timeWindow: windowMs, routeInfo }
    const root = Store === this.#inherited.store ? this.#stores.get(SHARED) : undefined
    const store = root === undefined ? new Store(params) : root.child(params)
    this.#stores.set(name, store)
    return store
  }
}
