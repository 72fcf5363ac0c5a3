import type { FastifyRequest } from 'fastify'
import type { Decision, RateLimitDecorator, RouteRateLimit } from '../index.js'
import type { SharedPolicyOptions } from './counter.js'

/** Waits that follow one another, each twice as long as the one before. */
const MAX_WAITS = 10
const MAX_WAIT_MS = 30 * 24 * 3600 * 1000

type Window = number | ((request: FastifyRequest) => number)

/** How a client stands who may have asked again while he was limited. */
export interface Backoff {
  /** What is left of the wait, milliseconds; 0: he need not wait. After `prolong`, the whole of the new one. */
  readonly ttlMs: number
  /** He asked again: the wait begins anew, or the next longer one does. */
  extend (): Promise<void>
}

/**
 * The wait of whoever goes on after a refusal: one window from his last request (`continueExceeding`), or twice as long
 * with each (`exponentialBackoff`). The window itself cannot grow, so each wait is a token bucket of one unit, which
 * says until when: a charge into debt ends one window from now, whatever stood before.
 */
export class Cooldown {
  /** One for each wait, the shortest first. */
  readonly policies: readonly RouteRateLimit[]
  readonly #limiter: RateLimitDecorator

  /** `name`: what the buckets begin with. `window`: the first wait, milliseconds. `isGrowing`: whether longer ones follow. */
  constructor (limiter: RateLimitDecorator, name: string, window: Window, isGrowing: boolean, sharedOptions: SharedPolicyOptions) {
    this.#limiter = limiter
    // Looked at, and charged only by `prolong`.
    this.policies = listDoublings(window, isGrowing).map((count) => ({
      ...sharedOptions,
      groupId: `${name} wait ${count}`,
      algorithm: 'token-bucket',
      max: 1,
      timeWindow: typeof window === 'number' ? window * 2 ** count : (request) => growWindow(window(request), count),
      cost: 0
    }))
  }

  async peek (request: FastifyRequest): Promise<Backoff> {
    const decisions = await Promise.all(this.policies.map((policy) => this.#limiter.check(request, policy)))
    return new BackoffState(decisions.filter((decision) => decision !== null))
  }
}

class BackoffState implements Backoff {
  readonly #decisions: readonly Decision[]
  ttlMs: number

  constructor (decisions: readonly Decision[]) {
    this.#decisions = decisions
    this.ttlMs = decisions.reduce((longest, { resetAfterMs }) => Math.max(longest, resetAfterMs), 0)
  }

  async extend (): Promise<void> {
    const current = this.#decisions.findLastIndex(({ resetAfterMs }) => resetAfterMs > 0)
    const next = Math.min(current + 1, this.#decisions.length - 1)
    // The store is away, and the mode of failure lets everybody pass or nobody.
    if (next < 0 || this.#decisions[next].outcome === 'unavailable') return
    await this.#decisions[next].charge(1)
    this.ttlMs = this.#decisions[next].standings[0].windowMs
  }
}

function listDoublings (window: Window, isGrowing: boolean): number[] {
  return Array.from({ length: isGrowing ? MAX_WAITS : 1 }, (_, count) => count)
    .filter((count) => typeof window === 'function' || window * 2 ** count <= Math.max(window, MAX_WAIT_MS))
}

function growWindow (windowMs: number, doublingCount: number): number {
  return Math.max(windowMs, Math.min(windowMs * 2 ** doublingCount, MAX_WAIT_MS))
}
