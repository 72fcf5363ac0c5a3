import type { FastifyRequest } from 'fastify'
import type { RouteRateLimit } from '../config/schema/policy-schema.js'

/** The key of a request, and the numbers that apply to it. */
export interface CountRequest {
  /** Empty if the application's generator returned no valid key. */
  readonly key: string
  /** For a custom store: the key as it was returned, or the address if there is no valid key. */
  readonly storeKey: unknown
  readonly max: number
  readonly windowMs: number
}

/** The state of a client's count. */
export interface Count {
  /** The applied number. It differs from the requested one if a function of the application returned no number. */
  readonly max: number
  readonly windowMs: number
  readonly remaining: number
  /** Milliseconds until the window ends; for a refused request, until the next one may pass. */
  readonly ttlMs: number
  readonly isExceeded: boolean
  readonly isBanned: boolean
  /** Whether this request started a ban. */
  readonly hasStartedBan: boolean
}

/** One limiter's counts, by client. */
export interface Counter {
  /**
   * Counts a request; with `isPeek`, only reads. `null` if the store is unavailable and the request may pass uncounted.
   * Rejects with FST_SLUICE_UNAVAILABLE if it may not.
   */
  count (request: FastifyRequest, countRequest: CountRequest, isPeek: boolean): Promise<Count | null>
}

/** The key generator, and the failure mode while the store is unavailable. */
export type SharedPolicyOptions = Required<Pick<RouteRateLimit, 'keyGenerator' | 'failureMode'>>
