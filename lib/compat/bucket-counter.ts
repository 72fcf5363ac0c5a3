import type { FastifyRequest } from 'fastify'
import { FST_SLUICE_UNAVAILABLE } from '../errors.js'
import type { Decision, RateLimitDecorator, RouteRateLimit } from '../index.js'
import { compileEarly } from './compile-early.js'
import { Cooldown, addBackoff } from './cooldown.js'
import type { CountRequest, Count, Counter, SharedPolicyOptions } from './counter.js'
import type { StaticSettings } from './settings.js'

/**
 * Counts in the plugin's buckets: a fixed window, and a penalty for `ban`. For fixed numbers.
 */
export class BucketCounter implements Counter {
  readonly #limiter: RateLimitDecorator
  /** Keys of the requests that are being counted: a policy's key generator cannot await that of the application. */
  readonly #keys = new WeakMap<FastifyRequest, string>()
  readonly #consume: RouteRateLimit
  readonly #peek: RouteRateLimit
  readonly #cooldown: Cooldown | null
  readonly #mayPassUncounted: boolean

  /** `name`: the name of the buckets; counters of the same name share them. Throws what `guard` throws. */
  constructor (limiter: RateLimitDecorator, name: string, settings: StaticSettings) {
    const { max, windowMs, ban, skipOnError, continueExceeding, exponentialBackoff, place } = settings
    const sharedOptions: SharedPolicyOptions = {
      keyGenerator: (request) => this.#keys.get(request) ?? '',
      failureMode: skipOnError === null ? 'local' : skipOnError ? 'open' : 'closed'
    }
    this.#limiter = limiter
    this.#mayPassUncounted = skipOnError === true
    this.#consume = {
      ...sharedOptions,
      groupId: name,
      algorithm: 'fixed-window',
      max,
      timeWindow: windowMs,
      // The first refusal past `ban` starts the ban.
      penalty: ban === null
        ? false
        : { strikes: ban + 1, within: windowMs, cooldown: windowMs, factor: 1, maxCooldown: windowMs }
    }
    this.#peek = { ...this.#consume, cost: 0 }
    this.#cooldown = continueExceeding || exponentialBackoff
      ? new Cooldown(limiter, name, windowMs, !continueExceeding, sharedOptions)
      : null
    compileEarly(limiter, [this.#consume, this.#peek, ...this.#cooldown?.policies ?? []], place)
  }

  async count (request: FastifyRequest, { key }: CountRequest, isPeek: boolean): Promise<Count | null> {
    this.#keys.set(request, key)
    const [decision, backoff] = await Promise.all([
      this.#limiter.check(request, isPeek ? this.#peek : this.#consume),
      this.#cooldown === null ? null : this.#cooldown.peek(request)
    ])
    const count = decision === null ? null : toCount(decision, isPeek, this.#mayPassUncounted)
    return count === null || backoff === null ? count : await addBackoff(count, backoff, isPeek)
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
