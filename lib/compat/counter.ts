import type { FastifyRequest } from 'fastify'
import type { RouteRateLimit } from '../config/schema/policy-schema.js'

/** What is asked of a counter: whose request, and the numbers that hold for it. */
export interface CountRequest {
  /** Empty where the application's generator answered none. */
  readonly key: string
  readonly max: number
  readonly windowMs: number
}

/** Where a client stands. */
export interface Count {
  /** The numbers that held: not those asked for, where a function of the application's answered none. */
  readonly max: number
  readonly windowMs: number
  readonly remaining: number
  /** Until the window ends, or, refused, until the next request may pass; milliseconds. */
  readonly ttlMs: number
  readonly isExceeded: boolean
  readonly isBanned: boolean
  /** Whether this request earned the ban. */
  readonly hasStartedBan: boolean
}

/** One limiter's counts, by client. */
export interface Counter {
  /**
   * Count a request; with `isPeek` look only. `null` where the store cannot answer and the request passes all the same.
   * Rejects with FST_SLUICE_UNAVAILABLE where it does not.
   */
  count (request: FastifyRequest, countRequest: CountRequest, isPeek: boolean): Promise<Count | null>
}

/** Options that say whose bucket a request charges, and what holds while the store is away. */
export type SharedPolicyOptions = Required<Pick<RouteRateLimit, 'keyGenerator' | 'failureMode'>>
