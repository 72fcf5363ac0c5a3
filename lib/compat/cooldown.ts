import type { FastifyRequest } from 'fastify'
import type { Decision, RateLimitDecorator, RouteRateLimit } from '../index.js'
import type { Sharing } from './counter.js'

/** Waits that follow one another, each twice as long as the one before. */
const MOST_WAITS = 10
const LONGEST_WAIT_MS = 30 * 24 * 3600 * 1000

type Window = number | ((request: FastifyRequest) => number)

/** How a client stands who may have asked again while he was limited. */
export interface Waits {
  /** What is left of the wait, milliseconds; 0: he need not wait. After `prolong`, the whole of the new one. */
  readonly ttlMs: number
  /** He asked again: the wait begins anew, or the next longer one does. */
  prolong (): Promise<void>
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

  /** `name`: what the buckets begin with. `window`: the first wait, milliseconds. `doesGrow`: whether longer ones follow. */
  constructor (limiter: RateLimitDecorator, name: string, window: Window, doesGrow: boolean, sharing: Sharing) {
    this.#limiter = limiter
    // Looked at, and charged only by `prolong`.
    this.policies = doublings(window, doesGrow).map((count) => ({
      ...sharing,
      groupId: `${name} wait ${count}`,
      algorithm: 'token-bucket',
      max: 1,
      timeWindow: typeof window === 'number' ? window * 2 ** count : (request) => longer(window(request), count),
      cost: 0
    }))
  }

  async look (request: FastifyRequest): Promise<Waits> {
    const decisions = await Promise.all(this.policies.map((policy) => this.#limiter.check(request, policy)))
    return new Standings(decisions.filter((decision) => decision !== null))
  }
}

class Standings implements Waits {
  readonly #decisions: readonly Decision[]
  ttlMs: number

  constructor (decisions: readonly Decision[]) {
    this.#decisions = decisions
    this.ttlMs = decisions.reduce((longest, { resetAfterMs }) => Math.max(longest, resetAfterMs), 0)
  }

  async prolong (): Promise<void> {
    const current = this.#decisions.findLastIndex(({ resetAfterMs }) => resetAfterMs > 0)
    const next = Math.min(current + 1, this.#decisions.length - 1)
    // The store is away, and the mode of failure lets everybody pass or nobody.
    if (next < 0 || this.#decisions[next].outcome === 'unavailable') return
    await this.#decisions[next].charge(1)
    this.ttlMs = this.#decisions[next].standings[0].windowMs
  }
}

function doublings (window: Window, doesGrow: boolean): number[] {
  return Array.from({ length: doesGrow ? MOST_WAITS : 1 }, (_, count) => count)
    .filter((count) => typeof window === 'function' || window * 2 ** count <= Math.max(window, LONGEST_WAIT_MS))
}

function longer (windowMs: number, doublings: number): number {
  return Math.max(windowMs, Math.min(windowMs * 2 ** doublings, LONGEST_WAIT_MS))
}
