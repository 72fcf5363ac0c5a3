import type { FastifyRequest, RouteOptions } from 'fastify'
import { isObject, isThenable } from '../common/type-guards.js'
import { FST_SLUICE_UNAVAILABLE } from '../errors.js'
import type { CountRequest, Count, Counter } from './counter.js'
import type { CompatFaults } from './faults.js'

/** The options that a store of @fastify/rate-limit is constructed with: those of the plugin. */
export interface FastifyRateLimitOptions {}

interface StoreResult {
  readonly current: number
  readonly ttl: number
}

type StoreCallback = (error: Error | null, result?: { current: number, ttl: number }) => void

/** A store of @fastify/rate-limit. */
export interface FastifyRateLimitStore {
  /** Adds one to a key's count. Calls back with the count in the key's window, and the milliseconds until the window ends. */
  incr (key: string, callback: StoreCallback, timeWindow: number, max: number): void
  /** The same without counting; required for `{ increment: false }`. */
  read? (key: string, callback: StoreCallback, timeWindow: number, max: number): void
  /** Creates the store of one route or limiter. */
  child (routeOptions: RouteOptions & { path: string, prefix: string }): FastifyRateLimitStore
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
  readonly #faults: CompatFaults

  constructor (
    store: FastifyRateLimitStore,
    { ban, skipOnError }: { readonly ban: number | null, readonly skipOnError: boolean | null },
    deadlineMs: number = DEADLINE_MS,
    faults: CompatFaults
  ) {
    this.#store = store
    this.#ban = ban
    this.#mayPassUncounted = skipOnError === true
    this.#deadlineMs = deadlineMs
    this.#faults = faults
  }

  async count (_request: FastifyRequest, countRequest: CountRequest, isPeek: boolean): Promise<Count | null> {
    // An error of the program, as in the original: not a failure of the store, which `skipOnError` would skip.
    if (isPeek && typeof this.#store.read !== 'function') {
      throw new Error('The store has no method "read", which { increment: false } requires')
    }
    if (countRequest.key === '') this.#faults.reportLazy('keyGenerator', () => new TypeError('expected a key; the address counts'))
    try {
      const { current, ttl } = await this.#call(countRequest, isPeek)
      const refusals = current - countRequest.max
      return {
        max: countRequest.max,
        windowMs: countRequest.windowMs,
        remaining: Math.max(0, -refusals),
        ttlMs: ttl,
        isExceeded: refusals > 0,
        isBanned: this.#ban !== null && refusals > this.#ban,
        hasStartedBan: this.#ban !== null && refusals > this.#ban && refusals - 1 <= this.#ban
      }
    } catch (cause) {
      this.#faults.report('store', cause)
      if (this.#mayPassUncounted) return null
      throw hasStatus(cause) ? cause : new FST_SLUICE_UNAVAILABLE({ cause })
    }
  }

  #call ({ storeKey, windowMs, max }: CountRequest, isPeek: boolean): Promise<StoreResult> {
    // The original's types promise text, and pass what the generator returned.
    const key = storeKey as string
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the store did not respond within ${this.#deadlineMs} ms`)), this.#deadlineMs)
      const fail = (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      }
      const settle = (error: unknown, result?: unknown) => {
        if (error) return fail(error)
        const parsed = parseResult(result, windowMs)
        if (parsed === null) return fail(new TypeError('the store returned no { current, ttl }'))
        clearTimeout(timer)
        resolve(parsed)
      }
      try {
        const pending: unknown = isPeek ? this.#store.read?.(key, settle, windowMs, max) : this.#store.incr(key, settle, windowMs, max)
        // A rejection of an async method would end the process.
        if (isThenable(pending)) pending.then(undefined, fail)
      } catch (error) {
        fail(error)
      }
    })
  }
}

/** Whether the store chose the response for its error. Any other error's text stays inside: it may contain secrets. */
function hasStatus (error: unknown): boolean {
  return isObject(error) && 'statusCode' in error && typeof error.statusCode === 'number' && error.statusCode >= 400
}

/** `null` without a count: NaN would let every request pass. SQL drivers return a BIGINT as text. Without a `ttl`, one window. */
function parseResult (result: unknown, windowMs: number): StoreResult | null {
  if (typeof result !== 'object' || result === null || !('current' in result)) return null
  const current = toNumber(result.current)
  const ttl = 'ttl' in result && result.ttl !== undefined && result.ttl !== null ? toNumber(result.ttl) : windowMs
  return Number.isFinite(current) && Number.isFinite(ttl) ? { current, ttl } : null
}

function toNumber (value: unknown): number {
  const isText = typeof value === 'string' && value.trim() !== ''
  return isText || typeof value === 'number' || typeof value === 'bigint' ? Number(value) : NaN
}
