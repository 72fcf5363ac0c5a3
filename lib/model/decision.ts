import type { Client } from './client.js'

/**
 * What became of a request: let through at once (`allowed`) or after it was held (`delayed`); refused by a limit (`rejected`) or
 * a penalty (`blocked`); not counted, since nothing limits it (`exempt`) or the store could not answer (`unavailable`).
 */
export type Outcome = 'allowed' | 'delayed' | 'rejected' | 'blocked' | 'exempt' | 'unavailable'

/** Where one limit stands after the request, as users see it. */
export interface LimitStanding {
  /** The limit's name: `default` for `max` and `timeWindow`. */
  readonly name: string
  /** The capacity: `burst` of a token bucket, else `max`. */
  readonly limit: number
  /** Units per window. */
  readonly max: number
  /** The window's length, milliseconds. */
  readonly windowMs: number
  /** Whole units that could still be taken. */
  readonly remaining: number
  /** Milliseconds, rounded up, until nothing is used any more. */
  readonly resetAfterMs: number
  /** Milliseconds, rounded up, until this limit grants the same request; 0 when it did, `'never'` where no wait helps. */
  readonly retryAfterMs: number | 'never'
  /** How long a penalty still blocks the client, milliseconds, rounded up; 0 where it does not. */
  readonly blockedMs: number
  /** `shadow` where it refuses nobody. */
  readonly mode: 'enforce' | 'shadow'
  /** Whether this limit, taken by itself, refused the request. */
  readonly isExceeded: boolean
}

/** The answer for a request: `request.rateLimit`. */
export interface Decision {
  /** What became of the request. */
  readonly outcome: Outcome
  /** Who was charged. */
  readonly client: Client
  /** The name of the limit that binds: refused, the one with the longest wait; else the one with the lowest remaining share. */
  readonly limitName: string
  /** Capacity of the limit that binds: `burst` of a token bucket, else `max`. */
  readonly limit: number
  /** Whole units that could still be taken. */
  readonly remaining: number
  /** Milliseconds, rounded up, until nothing is used any more; for a delayed request, from the end of its delay. */
  readonly resetAfterMs: number
  /** How long the request is held until it is due, microseconds; 0 unless it is delayed. */
  readonly delayUs: number
  /** Milliseconds, rounded up, after which the same request is granted; 0 when it was, `'never'` where no wait helps. */
  readonly retryAfterMs: number | 'never'
  /**
   * Whether the request is to be refused: rejected, blocked, or for want of the store under `failureMode: 'closed'`. For
   * what `fastify.rateLimit.check` answers; a route's request is refused by the plugin itself.
   */
  readonly isRefused: boolean
  /** Whether this refusal began a block of its client: true once per block. */
  readonly beganBlock: boolean
  /** One for each limit of the policy, in their order; shadow limits too. */
  readonly standings: readonly LimitStanding[]
  /**
   * Charge more units after the work is done, into debt if need be; the debt is bounded by one extra window.
   *
   * `units`: whole, 1 or more. Throws FST_SLUICE_BAD_UNITS.
   */
  charge (units: number): void | Promise<void>
  /**
   * Give units back that this request took when it was decided; what was not taken then, or no longer counts, is not given.
   *
   * `units`: whole, 1 or more. Throws FST_SLUICE_BAD_UNITS.
   */
  refund (units: number): void | Promise<void>
  /** Give back everything that this request took. */
  refundAll (): void | Promise<void>
}
