import type { FastifyRequest } from 'fastify'
import { FST_SLUICE_UNAVAILABLE } from '../errors.js'
import type { CountRequest, Count, Counter } from './counter.js'

/** What a store of the original's kind is constructed with: the plugin's options. */
export interface FastifyRateLimitOptions {}

type StoreCallback = (error: Error | null, result?: { current: number, ttl: number }) => void

/** A store of the original's kind. */
export interface FastifyRateLimitStore {
  /** Count one more for a key, and tell how many there are in its window and for how many milliseconds yet. */
  incr (key: string, callback: StoreCallback, timeWindow: number, max: number): void
  /** The same without counting; needed for `{ increment: false }`. */
  read? (key: string, callback: StoreCallback, timeWindow: number, max: number): void
  /** The store of one route or limiter. */
  child (routeOptions: object): FastifyRateLimitStore
}

export interface FastifyRateLimitStoreCtor {
  new (options: FastifyRateLimitOptions): FastifyRateLimitStore
}

/** Milliseconds for a store of which nothing is known: it may be a database. */
const DEADLINE_MS = 1000

/**
 * Counts in a store of the application's own. It counts what is refused too, so a ban is a number of refusals, and ends
 * with the window.
 */
export class CustomCounter implements Counter {
  readonly #store: FastifyRateLimitStore
  readonly #ban: number | null
  readonly #mayPassUncounted: boolean
  readonly #deadlineMs: number
  readonly #onFailure: (error: unknown) => void

  /** `onFailure` hears of each failed call. */
  constructor (store: FastifyRateLimitStore, { ban, skipOnError }: { readonly ban: number | null, readonly skipOnError: boolean | null }, deadlineMs: number = DEADLINE_MS, onFailure: (error: unknown) => void) {
    this.#store = store
    this.#ban = ban
    this.#mayPassUncounted = skipOnError === true
    this.#deadlineMs = deadlineMs
    this.#onFailure = onFailure
  }

  async count (_request: FastifyRequest, countRequest: CountRequest, isPeek: boolean): Promise<Count | null> {
    try {
      if (!(countRequest.max >= 0 && countRequest.windowMs >= 1)) throw new TypeError(`expected numbers of max and timeWindow, got ${countRequest.max} and ${countRequest.windowMs}`)
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
      const timer = setTimeout(() => reject(new Error(`the store did not answer within ${this.#deadlineMs} ms`)), this.#deadlineMs)
      const settle: StoreCallback = (error, result) => {
        clearTimeout(timer)
        if (error !== null && error !== undefined) reject(error)
        else if (isCount(result)) resolve(result)
        else reject(new TypeError('the store answered no { current, ttl }'))
      }
      try {
        if (!isPeek) this.#store.incr(key, settle, windowMs, max)
        else if (this.#store.read !== undefined) this.#store.read(key, settle, windowMs, max)
        else settle(new Error('the store has no read, which { increment: false } needs'))
      } catch (error) {
        clearTimeout(timer)
        reject(error)
      }
    })
  }
}

/** A number that is none would let everybody pass. */
function isCount (result: unknown): result is { current: number, ttl: number } {
  return typeof result === 'object' && result !== null && 'current' in result && 'ttl' in result &&
    Number.isFinite(result.current) && Number.isFinite(result.ttl)
}
