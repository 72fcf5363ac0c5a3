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
  /** Length of the window, milliseconds. Of a `period`, its longest length. */
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
   * lowest remaining share.
   */
  readonly limitName: string
  /** Capacity of the limit that binds: `burst` of a token bucket, else `max`. */
  readonly limit: number
  /** Whole units that are still available in the limit that binds. Changes with `charge` and `refund`. */
  readonly remaining: number
  /** Milliseconds, rounded up, until the full limit is available again. For a delayed request, from the end of its delay. */
  readonly resetAfterMs: number
  /** How long the request is held until it is due, microseconds. 0 unless it is delayed. */
  readonly delayUs: number
  /** Milliseconds, rounded up, until the same request is granted. 0 if it was; `'never'` if waiting cannot help. */
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
   * Charge more units after the work is done. The budget may go into debt, by one extra window at most.
   *
   * `units`: whole, 1 or more. Throws FST_SLUICE_BAD_UNITS.
   */
  charge (units: number): void | Promise<void>
  /**
   * Refund units that this request took when it was decided. Units that it did not take, or that have expired, are not
   * refunded.
   *
   * `units`: whole, 1 or more. Throws FST_SLUICE_BAD_UNITS.
   */
  refund (units: number): void | Promise<void>
  /** Refund all units that this request took. */
  refundAll (): void | Promise<void>
}
