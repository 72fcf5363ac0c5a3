import type { FastifyRequest } from 'fastify'
import type { Clock } from '../common/clock.js'
import { GenerationCache } from '../common/generation-cache.js'
import { MAX_UNITS } from '../config/schema/policy-schema.js'
import { FST_SLUICE_UNAVAILABLE } from '../errors.js'
import type { Decision, RateLimitDecorator, RouteRateLimit } from '../index.js'
import { compileEarly } from './compile-early.js'
import { Cooldown, addBackoff } from './cooldown.js'
import type { CountRequest, Count, Counter, SharedPolicyOptions } from './counter.js'
import type { LimiterSettings } from './settings.js'

/** Clients per generation whose current window is remembered. */
const MAX_CLIENTS = 50_000

interface OpenWindow {
  readonly windowMs: number
  readonly endsAtUs: number
}

/**
 * Counts all requests, refused ones too, and compares the count with `max`. For numbers by functions, and for numbers that
 * the plugin's limits do not have: the buckets do not depend on `max`, so a client whose `max` changes keeps its count.
 *
 * The buckets do depend on the window. So a window keeps the length that it began with: otherwise each result of a
 * countdown (`() => midnight - Date.now()`) would begin a new window, and the limit would never refuse.
 */
export class TallyCounter implements Counter {
  readonly #limiter: RateLimitDecorator
  readonly #countRequests = new WeakMap<FastifyRequest, CountRequest>()
  readonly #openWindows = new GenerationCache<string, OpenWindow>(MAX_CLIENTS)
  readonly #consume: RouteRateLimit
  readonly #peek: RouteRateLimit
  readonly #cooldown: Cooldown | null
  readonly #ban: number | null
  readonly #mayPassUncounted: boolean
  readonly #clock: Clock

  /** `name`: the name of the buckets; counters of the same name share them. Throws what `guard` throws. */
  constructor (limiter: RateLimitDecorator, name: string, settings: LimiterSettings, clock: Clock) {
    const { windowMs, ban, skipOnError, continueExceeding, exponentialBackoff, place } = settings
    const timeWindow = typeof windowMs === 'function' ? (request: FastifyRequest) => this.#getCountRequest(request).windowMs : windowMs
    const sharedOptions: SharedPolicyOptions = {
      keyGenerator: (request) => this.#getCountRequest(request).key,
      failureMode: skipOnError === null ? 'local' : skipOnError ? 'open' : 'closed'
    }
    this.#limiter = limiter
    this.#ban = ban
    this.#mayPassUncounted = skipOnError === true
    this.#clock = clock
    this.#consume = { ...sharedOptions, groupId: name, algorithm: 'fixed-window', max: MAX_UNITS, timeWindow, penalty: false }
    this.#peek = { ...this.#consume, cost: 0 }
    this.#cooldown = continueExceeding || exponentialBackoff
      ? new Cooldown(limiter, name, timeWindow, !continueExceeding, sharedOptions)
      : null
    compileEarly(limiter, [this.#consume, this.#peek, ...this.#cooldown?.policies ?? []], place)
  }

  async count (request: FastifyRequest, countRequest: CountRequest, isPeek: boolean): Promise<Count | null> {
    const client = countRequest.key === '' ? request.ip : countRequest.key
    const openWindow = this.#openWindows.get(client)
    const isOpen = openWindow !== undefined && this.#clock.nowUs() < openWindow.endsAtUs
    const windowMs = isOpen ? openWindow.windowMs : countRequest.windowMs
    this.#countRequests.set(request, { ...countRequest, windowMs })
    const [decision, backoff] = await Promise.all([
      this.#limiter.check(request, isPeek ? this.#peek : this.#consume),
      this.#cooldown === null ? null : this.#cooldown.peek(request)
    ])
    if (decision?.outcome === 'unavailable' && !this.#mayPassUncounted) throw new FST_SLUICE_UNAVAILABLE()
    if (decision === null || decision.standings.length === 0) return null
    const count = this.#toCount(decision, countRequest, isPeek)
    const result = backoff === null ? count : await addBackoff(count, backoff, isPeek)
    if (!isPeek) this.#openWindows.set(client, { windowMs, endsAtUs: this.#clock.nowUs() + result.ttlMs * 1000 })
    return result
  }

  #toCount ({ remaining, resetAfterMs }: Decision, { max, windowMs }: CountRequest, isPeek: boolean): Count {
    const current = MAX_UNITS - remaining
    const refusals = current - max
    const isBanned = this.#ban !== null && refusals > this.#ban
    return {
      max,
      windowMs,
      remaining: Math.max(0, -refusals),
      ttlMs: resetAfterMs,
      // A peek at a used-up limit reports the result of the next request.
      isExceeded: isPeek ? refusals >= 0 : refusals > 0,
      isBanned,
      hasStartedBan: isBanned && refusals - 1 <= (this.#ban ?? 0)
    }
  }

  #getCountRequest (request: FastifyRequest): CountRequest {
    // `count` sets it before the policy reads it.
    return this.#countRequests.get(request) ?? { key: '', storeKey: '', max: 0, windowMs: 0 }
  }
}
