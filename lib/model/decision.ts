import type { Client } from './client.js'

/**
 * The result for a request.
 *
 * - `allowed`: passed at once
 * - `delayed`: held until it was due, then passed
 * - `rejected`: refused by a limit
 * - `blocked`: refused by a penalty
 * - `exempt`: not counted, because no limit applies
 * - `unavailable`: not counted, because the store did not answer
 */
export type Outcome = 'allowed' | 'delayed' | 'rejected' | 'blocked' | 'exempt' | 'unavailable'

/** The state of one limit after the request. */
export interface LimitStanding {
  /** The limit's name: `default` for `max` and `timeWindow`. */
  readonly name: string
  /** The capacity: `burst` of a token bucket, else `max`. */
  readonly limit: number
  /** Units per window. */
  readonly max: number
  /** `concurrency`: the limit counts requests in flight, see the option `concurrency`. Absent for limits by rate. */
  readonly kind?: 'concurrency'
  /** Length of the window, milliseconds. Of a `period`, its longest length. 0 for a concurrency limit. */
  readonly windowMs: number
  /** The period of the calendar. Absent for a limit with a `timeWindow`. */
  readonly period?: 'hour' | 'day' | 'week' | 'month' | 'year'
  /** Whole units that are still available. */
  readonly remaining: number
  /** Milliseconds, rounded up, until the full limit is available again. */
  readonly resetAfterMs: number
  /** Milliseconds, rounded up, until this limit grants the same request. 0 if it did; `'never'` if waiting cannot help. */
  readonly retryAfterMs: number | 'never'
  /** Milliseconds, rounded up, until a penalty stops blocking the client. 0 without a block. */
  readonly blockedMs: number
  /** `shadow`: the limit counts, and refuses no request. */
  readonly mode: 'enforce' | 'shadow'
  /** Whether this limit, taken by itself, refused the request. */
  readonly isExceeded: boolean
}

/** The decision for a request: `request.rateLimit`. */
export interface Decision {
  readonly outcome: Outcome
  /** The client that was charged. */
  readonly client: Client
  /**
   * The name of the limit that binds. After a refusal, it is the one with the longest wait; otherwise the one with the
   * lowest remaining share. `concurrency` if only that limit refused.
   */
  readonly limitName: string
  /**
   * Capacity of the limit that binds: `burst` of a token bucket, else `max`. This number and the next ones are of a limit by
   * rate, also if the concurrency limit refused.
   */
  readonly limit: number
  /** Whole units that are still available in the limit that binds. Changes with `charge`, `refund` and `settle`. */
  readonly remaining: number
  /** Milliseconds, rounded up, until the full limit is available again. For a delayed request, from the end of its delay. */
  readonly resetAfterMs: number
  /** How long the request is held until it is due, microseconds. 0 unless it is delayed. */
  readonly delayUs: number
  /**
   * Milliseconds, rounded up, until the same request is granted. 0 if it was; `'never'` if waiting cannot help. An estimate
   * if only the concurrency limit refused.
   */
  readonly retryAfterMs: number | 'never'
  /**
   * Whether the request must be refused: rejected, blocked, or `unavailable` with `failureMode: 'closed'`. Needed for the
   * decisions of `fastify.rateLimit.check`; requests to routes are refused by the plugin.
   */
  readonly isRefused: boolean
  /** Whether this refusal began a block of its client: true once per block. */
  readonly beganBlock: boolean
  /** One for each limit of the policy, in their order, shadow limits included. */
  readonly standings: readonly LimitStanding[]
  /**
   * Charge more units after the work is done, in every limit. The budget may go into debt, by one extra window at most.
   *
   * `units`: whole, 1 or more. Throws FST_SLUICE_BAD_UNITS.
   */
  charge (units: number): void | Promise<void>
  /**
   * Refund units that this request took when it was decided, in every limit that is not settled. Units that it did not take,
   * or that have expired, are not refunded.
   *
   * `units`: whole, 1 or more. Throws FST_SLUICE_BAD_UNITS.
   */
  refund (units: number): void | Promise<void>
  /** Refund all units that this request took, in every limit that is not settled. */
  refundAll (): void | Promise<void>
  /**
   * Replace the units that this request took when it was decided by those that it used: refund what is left, or charge what
   * is missing, into debt like `charge`. Whatever becomes of the response, each limit is settled once: later values for it
   * are ignored, and refunds by `refundOn` and `onUnsettled` leave it unchanged.
   *
   *     await request.rateLimit?.settle({ tokens: usage.input + 4 * usage.output })
   *
   * `used`: numbers of 0 or more by the names of limits; fractions are rounded up. A limit that did not grant the request, or
   * that does not apply to the client, is skipped. If several policies decided the request, the last one with a limit of the
   * name is settled. Throws FST_SLUICE_BAD_UNITS, and FST_SLUICE_UNKNOWN_LIMIT for a name that no policy of the request has.
   */
  settle (used: Readonly<Record<string, number>>): void | Promise<void>
  /**
   * Give back the slot of the option `concurrency` that this decision holds. Only the first call does something. Needed for
   * the decisions of `fastify.rateLimit.check` and `consume`; for requests to routes the plugin releases it.
   */
  release (): void | Promise<void>
  /** The same as `release`, for `using`. */
  [Symbol.dispose] (): void
  /** The same as `release`, for `await using`. */
  [Symbol.asyncDispose] (): Promise<void>
}
