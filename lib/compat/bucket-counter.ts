import type { FastifyRequest } from 'fastify'
import { FST_SLUICE_CONTRADICTION, FST_SLUICE_UNAVAILABLE, isLocated } from '../errors.js'
import type { Decision, RateLimitDecorator, RouteRateLimit } from '../index.js'
import { Cooldown } from './cooldown.js'
import type { CountRequest, Count, Counter, SharedPolicyOptions } from './counter.js'
import type { LimiterSettings } from './settings.js'

/**
 * Counts in the plugin's buckets: a fixed window, and a penalty for `ban`. Functions of the original may be asynchronous,
 * those of a policy may not. So they are awaited first, and the policy's functions read their results.
 */
export class BucketCounter implements Counter {
  readonly #limiter: RateLimitDecorator
  readonly #countRequests = new WeakMap<FastifyRequest, CountRequest>()
  readonly #consume: RouteRateLimit
  readonly #peek: RouteRateLimit
  readonly #cooldown: Cooldown | null
  readonly #mayPassUncounted: boolean

  /** `name`: the name of the buckets; counters of the same name share them. Throws what `guard` throws. */
  constructor (limiter: RateLimitDecorator, name: string, settings: LimiterSettings) {
    const { max, windowMs, ban, skipOnError, continueExceeding, exponentialBackoff, place } = settings
    const isWindowDynamic = typeof windowMs === 'function'
    const getWindowMs = (request: FastifyRequest) => this.#getCountRequest(request).windowMs
    const sharedOptions: SharedPolicyOptions = {
      keyGenerator: (request) => this.#getCountRequest(request).key,
      failureMode: skipOnError === null ? 'local' : skipOnError ? 'open' : 'closed'
    }
    this.#limiter = limiter
    this.#mayPassUncounted = skipOnError === true
    this.#consume = {
      ...sharedOptions,
      groupId: name,
      algorithm: 'fixed-window',
      max: typeof max === 'number' ? max : (request) => this.#getCountRequest(request).max,
      timeWindow: isWindowDynamic ? getWindowMs : windowMs,
      // The first refusal past `ban` starts the ban.
      penalty: ban === null || isWindowDynamic
        ? false
        : { strikes: ban + 1, within: windowMs, cooldown: windowMs, factor: 1, maxCooldown: windowMs }
    }
    this.#peek = { ...this.#consume, cost: 0 }
    this.#cooldown = continueExceeding || exponentialBackoff
      ? new Cooldown(limiter, name, isWindowDynamic ? getWindowMs : windowMs, !continueExceeding, sharedOptions)
      : null
    this.#compile(place)
  }

  async count (request: FastifyRequest, countRequest: CountRequest, isPeek: boolean): Promise<Count | null> {
    this.#countRequests.set(request, countRequest)
    const [decision, backoff] = await Promise.all([
      this.#limiter.check(request, isPeek ? this.#peek : this.#consume),
      this.#cooldown === null ? null : this.#cooldown.peek(request)
    ])
    const count = decision === null ? null : toCount(decision, isPeek, this.#mayPassUncounted)
    if (count === null || backoff === null) return count
    if (!isPeek && (count.isExceeded || backoff.ttlMs > 0)) await backoff.extend()
    if (backoff.ttlMs === 0) return count
    // The end of the window does not end the wait: the client sent a request while it was limited.
    return { ...count, isExceeded: true, remaining: 0, ttlMs: Math.max(backoff.ttlMs, count.isBanned ? count.ttlMs : 0) }
  }

  #getCountRequest (request: FastifyRequest): CountRequest {
    // `count` sets it before the policy reads it.
    return this.#countRequests.get(request) ?? { key: '', max: 0, windowMs: 0 }
  }

  /** Compiles the policies early, so that errors are thrown at the declaration and name the place of the options. */
  #compile (place: string): void {
    try {
      for (const options of [this.#consume, this.#peek, ...this.#cooldown?.policies ?? []]) this.#limiter.guard(options)
    } catch (error) {
      if (!isLocated(error)) throw error
      const { message } = error
      throw error.code === 'FST_SLUICE_UNEQUAL_LIMITS'
        ? new FST_SLUICE_CONTRADICTION(`${place}.groupId`, `routes of one group share their counters and need equal limits (${message})`)
        : error.relocated(error.place.replace('rateLimit.guard', place))
    }
  }
}

/** For a decision without standings, because no store was called. */
const NO_STANDING = { max: 0, windowMs: 0 }

function toCount (decision: Decision, isPeek: boolean, mayPassUncounted: boolean): Count | null {
  const { outcome, remaining, resetAfterMs, retryAfterMs, beganBlock } = decision
  const [{ max, windowMs } = NO_STANDING] = decision.standings
  switch (outcome) {
    case 'allowed':
    case 'delayed':
      // A peek at a used-up limit reports the result of the next request.
      return { max, windowMs, remaining, ttlMs: resetAfterMs, isExceeded: isPeek && remaining === 0, isBanned: false, hasStartedBan: false }
    case 'rejected':
    case 'blocked':
      return {
        max,
        windowMs,
        remaining: 0,
        // With a max of 0 no wait helps, but the headers need a number.
        ttlMs: retryAfterMs === 'never' ? windowMs : retryAfterMs,
        isExceeded: true,
        isBanned: outcome === 'blocked',
        hasStartedBan: beganBlock
      }
    case 'exempt':
      return null
    case 'unavailable':
      if (mayPassUncounted) return null
      throw new FST_SLUICE_UNAVAILABLE()
    default:
      return outcome satisfies never
  }
}
