import type { FastifyRequest } from 'fastify'
import { FST_SLUICE_CONTRADICTION, FST_SLUICE_UNAVAILABLE, isPlaced } from '../errors.js'
import type { Decision, RateLimitDecorator, RouteRateLimit } from '../index.js'
import { Cooldown } from './cooldown.js'
import type { Asked, Count, Counter, Sharing } from './counter.js'
import type { Settings } from './settings.js'

/**
 * Counts in the plugin's buckets: a fixed window, a penalty where there is a ban. The functions of the original may
 * be asynchronous, those of a policy may not, so they are asked before, and the policy's read what they said.
 */
export class BucketCounter implements Counter {
  readonly #limiter: RateLimitDecorator
  readonly #asked = new WeakMap<FastifyRequest, Asked>()
  readonly #taking: RouteRateLimit
  readonly #looking: RouteRateLimit
  readonly #cooldown: Cooldown | null
  readonly #mayPassUncounted: boolean

  /** `name`: what the buckets are called; two with one name share them. Throws what `check` throws. */
  constructor (limiter: RateLimitDecorator, name: string, settings: Settings) {
    const { max, windowMs, ban, skipOnError, continueExceeding, exponentialBackoff, place } = settings
    const isMade = typeof windowMs === 'function'
    const askedWindow = (request: FastifyRequest) => this.#askedBy(request).windowMs
    const sharing: Sharing = {
      keyGenerator: (request) => this.#askedBy(request).key,
      failureMode: skipOnError === null ? 'local' : skipOnError ? 'open' : 'closed'
    }
    this.#limiter = limiter
    this.#mayPassUncounted = skipOnError === true
    this.#taking = {
      ...sharing,
      groupId: name,
      algorithm: 'fixed-window',
      max: typeof max === 'number' ? max : (request) => this.#askedBy(request).max,
      timeWindow: isMade ? askedWindow : windowMs,
      // The refusal after so many begins the ban.
      penalty: ban === null || isMade ? false : { strikes: ban + 1, within: windowMs, cooldown: windowMs, factor: 1, maxCooldown: windowMs }
    }
    this.#looking = { ...this.#taking, cost: 0 }
    this.#cooldown = continueExceeding || exponentialBackoff
      ? new Cooldown(limiter, name, isMade ? askedWindow : windowMs, !continueExceeding, sharing)
      : null
    this.#compile(place)
  }

  async count (request: FastifyRequest, asked: Asked, isPeek: boolean): Promise<Count | null> {
    this.#asked.set(request, asked)
    const [decision, waits] = await Promise.all([
      this.#limiter.check(request, isPeek ? this.#looking : this.#taking),
      this.#cooldown === null ? null : this.#cooldown.look(request)
    ])
    const count = decision === null ? null : countOf(decision, isPeek, this.#mayPassUncounted)
    if (count === null || waits === null) return count
    if (!isPeek && (count.isExceeded || waits.ttlMs > 0)) await waits.prolong()
    if (waits.ttlMs === 0) return count
    // A window that is over meanwhile does not end the wait: the client asked again while he was limited.
    return { ...count, isExceeded: true, remaining: 0, ttlMs: Math.max(waits.ttlMs, count.isBanned ? count.ttlMs : 0) }
  }

  #askedBy (request: FastifyRequest): Asked {
    // Set by `count`, which alone lets a policy ask.
    return this.#asked.get(request) ?? { key: '', max: 0, windowMs: 0 }
  }

  /** What a policy cannot be is told where the limiter is declared, and of the place where it is written. */
  #compile (place: string): void {
    try {
      for (const options of [this.#taking, this.#looking, ...this.#cooldown?.policies ?? []]) this.#limiter.guard(options)
    } catch (error) {
      if (!isPlaced(error)) throw error
      throw error.code === 'FST_SLUICE_UNEQUAL_LIMITS'
        ? new FST_SLUICE_CONTRADICTION(`${place}.groupId`, `routes of one group share their counters and need equal limits (${error.message})`)
        : error.at(error.place.replace('rateLimit.guard', place))
    }
  }
}

/** The standings of a request that no store was asked about. */
const NOTHING = { max: 0, windowMs: 0 }

function countOf (decision: Decision, isPeek: boolean, mayPassUncounted: boolean): Count | null {
  const { outcome, remaining, resetAfterMs, retryAfterMs, beganBlock } = decision
  const [{ max, windowMs } = NOTHING] = decision.standings
  switch (outcome) {
    case 'allowed':
    case 'delayed':
      // A look at what is used up says what the next request will hear.
      return { max, windowMs, remaining, ttlMs: resetAfterMs, isExceeded: isPeek && remaining === 0, isBanned: false, beganBan: false }
    case 'rejected':
    case 'blocked':
      return {
        max,
        windowMs,
        remaining: 0,
        // No wait helps against a max of 0, and the headers need a number.
        ttlMs: retryAfterMs === 'never' ? windowMs : retryAfterMs,
        isExceeded: true,
        isBanned: outcome === 'blocked',
        beganBan: beganBlock
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
