import type { FastifyRequest } from 'fastify'
import { FST_SLUICE_UNAVAILABLE } from '../errors.js'
import type { CountRequest, Count, Counter } from './counter.js'

/** The options that a store of @fastify/rate-limit is constructed with: those of the plugin. */
export interface FastifyRateLimitOptions {}

type StoreCallback = (error: Error | null, result?: { current: number, ttl: number }) => void

/** A store of @fastify/rate-limit. */
export interface FastifyRateLimitStore {
  /** Adds one to a key's count. Calls back with the count in the key's window, and the milliseconds until the window ends. */
  incr (key: string, callback: StoreCallback, timeWindow: number, max: number): void
  /** The same without counting; required for `{ increment: false }`. */
  read? (key: string, callback: StoreCallback, timeWindow: number, max: number): void
  /** Creates the store of one route or limiter. */
  child (routeOptions: object): FastifyRateLimitStore
}

export interface FastifyRateLimitStoreCtor {
  new (options: FastifyRateLimitOptions): FastifyRateLimitStore
}

/** Default time for a call, milliseconds. A custom store may be a database. */
const DEADLINE_MS = 1000

/**
 * Counts in a custom store. Such a store counts refused requests too, so a ban starts after a number of refusals, and ends
 * with the window.
 */
export class CustomCounter implements Counter {
  readonly #store: FastifyRateLimitStore
  readonly #ban: number | null
  readonly #mayPassUncounted: boolean
  readonly #deadlineMs: number
  readonly #onFailure: (error: unknown) => void

  /** `onFailure` is called for each failed call of the store. */
  constructor (
    store: FastifyRateLimitStore,
    { ban, skipOnError }: { readonly ban: number | null, readonly skipOnError: boolean | null },
    deadlineMs: number = DEADLINE_MS,
    onFailure: (error: unknown) => void
  ) {
    this.#store = store
    this.#ban = ban
    this.#mayPassUncounted = skipOnError === true
    this.#deadlineMs = deadlineMs
    this.#onFailure = onFailure
  }

  async count (_request: FastifyRequest, countRequest: CountRequest, isPeek: boolean): Promise<Count | null> {
    try {
      if (!(countRequest.max >= 0 && countRequest.windowMs >= 1)) {
        throw new TypeError(`expected max and timeWindow to be numbers, got ${countRequest.max} and ${countRequest.windowMs}`)
      }
      const { current, ttl } = await this.#call(countRequest, isPeek)
      const refusals = current - countRequest.max
      return {
        max: countRequest.max,
        windowMs: countRequest.windowMs,
        remaining: Math.max(0, -refusals),
        ttlMs: ttl,
        isExceeded: refusals > 0,
        isBanned: this.#ban !== null && refusals > this.#ban,
        hasStartedBan: this.#ban !== null && refusals === this.#ban + 1
      }
    } catch (cause) {
      this.#onFailure(cause)
      if (this.#mayPassUncounted) return null
      throw new FST_SLUICE_UNAVAILABLE({ cause })
    }
  }

  #call ({ key, windowMs, max }: CountRequest, isPeek: boolean): Promise<{ current: number, ttl: number }> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the store did not respond within ${this.#deadlineMs} ms`)), this.#deadlineMs)
      const settle: StoreCallback = (error, result) => {
        clearTimeout(timer)
        if (error !== null && error !== undefined) reject(error)
        else if (isCount(result)) resolve(result)
        else reject(new TypeError('the store returned no { current, ttl }'))
      }
      try {
        if (!isPeek) this.#store.incr(key, settle, windowMs, max)
        else if (this.#store.read !== undefined) this.#store.read(key, settle, windowMs, max)
        else settle(new Error('the store has no method read, which { increment: false } requires'))
      } catch (error) {
        clearTimeout(timer)
        reject(error)
      }
    })
  }
}

/** Checks that both are numbers: NaN would let every request pass. */
function isCount (result: unknown): result is { current: number, ttl: number } {
  return typeof result === 'object' && result !== null && 'current' in result && 'ttl' in result &&
    Number.isFinite(result.current) && Number.isFinite(result.ttl)
}
