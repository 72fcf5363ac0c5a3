import type { FastifyRequest } from 'fastify'
import type { Decision, RateLimitDecorator, RouteRateLimit } from '../index.js'
import type { Count, SharedPolicyOptions } from './counter.js'

/** Number of waits, each twice as long as the previous one. */
const MAX_WAITS = 10
const MAX_WAIT_MS = 30 * 24 * 3600 * 1000

type Window = number | ((request: FastifyRequest) => number)

/** The wait of a client that sent requests while it was limited. */
export interface Backoff {
  /** The remaining wait, milliseconds; 0 without a wait. After `extend`, the new wait in full. */
  readonly ttlMs: number
  /** Restarts the wait, or starts the next longer one, because the client sent another request. */
  extend (): Promise<void>
}

/**
 * The wait of a client that continues after a refusal: one window from its last request (`continueExceeding`), or twice
 * as long each time (`exponentialBackoff`). A window itself cannot grow. So each wait is a token bucket of one unit, whose
 * reset time is the end of the wait: a charge into debt ends one window from now, whatever its state was.
 */
export class Cooldown {
  /** One for each wait, in ascending order. */
  readonly policies: readonly RouteRateLimit[]
  readonly #limiter: RateLimitDecorator

  /** `name`: prefix of the buckets' names. `window`: the first wait, milliseconds. `isGrowing`: whether longer ones follow. */
  constructor (limiter: RateLimitDecorator, name: string, window: Window, isGrowing: boolean, sharedOptions: SharedPolicyOptions) {
    this.#limiter = limiter
    // A check costs 0: only `extend` charges them.
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

/** Adds the wait to a count. A refused request, or one during the wait, extends it. */
export async function addBackoff (count: Count, backoff: Backoff, isPeek: boolean): Promise<Count> {
  if (!isPeek && (count.isExceeded || backoff.ttlMs > 0)) await backoff.extend()
  if (backoff.ttlMs === 0) return count
  // The end of the window does not end the wait: the client sent a request while it was limited.
  return { ...count, isExceeded: true, remaining: 0, ttlMs: Math.max(backoff.ttlMs, count.isBanned ? count.ttlMs : 0) }
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
    // The store is unavailable, and the failure mode has decided.
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
