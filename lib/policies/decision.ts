import type { Client } from '../clients/client.js'
import { FST_SLUICE_BAD_UNITS } from '../errors.js'
import type { Receipt, Standing, Store } from '../stores/store.js'
import type { Policy } from './policy.js'

/** What became of a request. */
export type Outcome = 'allowed' | 'rejected' | 'unavailable'

/** Where one limit stands after the request, as users see it. */
export interface LimitStanding {
  readonly name: string
  /** The capacity: `burst` of a token bucket, else `max`. */
  readonly limit: number
  readonly max: number
  readonly windowMs: number
  readonly remaining: number
  readonly resetAfterMs: number
  readonly retryAfterMs: number | 'never'
  readonly mode: 'enforce' | 'shadow'
  /** Whether this limit, taken by itself, refused the request. */
  readonly isExceeded: boolean
}

/** The answer for a request: `request.rateLimit`. */
export class Decision {
  readonly outcome: Outcome
  /** Who was charged. */
  readonly client: Client
  /** The name of the limit that binds: refused, the one with the longest wait; else the one with the lowest remaining share. */
  readonly limitName: string
  /** Capacity of the limit that binds: `burst` of a token bucket, else `max`. */
  readonly limit: number
  /** Whole units that could still be taken. */
  readonly remaining: number
  /** Milliseconds, rounded up, until nothing is used any more. */
  readonly resetAfterMs: number
  /** Milliseconds, rounded up, after which the same request is granted; 0 when it was, `'never'` where no wait helps. */
  readonly retryAfterMs: number | 'never'

  readonly #policy: Policy
  readonly #receipt: Receipt | null
  readonly #store: Store
  readonly #earlier: Decision | null
  #refunded = 0

  /** `receipt`: what the store said; `null` where it could not answer, and the numbers are then all 0. */
  constructor (policy: Policy, client: Client, receipt: Receipt | null, store: Store, earlier: Decision | null) {
    this.client = client
    this.#policy = policy
    this.#receipt = receipt
    this.#store = store
    this.#earlier = earlier
    if (receipt === null) {
      this.outcome = 'unavailable'
      this.limitName = ''
      this.limit = 0
      this.remaining = 0
      this.resetAfterMs = 0
      this.retryAfterMs = 0
    } else {
      const binding = bindingOf(receipt)
      this.outcome = receipt.granted ? 'allowed' : 'rejected'
      this.limitName = binding.limit.name
      this.limit = binding.limit.capacity
      this.remaining = binding.remaining
      this.resetAfterMs = Math.ceil(binding.resetUs / 1000)
      this.retryAfterMs = receipt.granted ? 0 : retryMs(binding)
    }
  }

  /** One for each limit of the policy, in their order; shadow limits too. */
  get standings (): readonly LimitStanding[] {
    return this.#standings.map(standingOf)
  }

  /**
   * Charge more units after the work is done, into debt if need be; the debt is bounded by one extra window.
   *
   * `units`: whole, 1 or more. Throws FST_SLUICE_BAD_UNITS.
   */
  charge (units: number): void | Promise<void> {
    checkUnits('charge', units)
    return this.#adjust(units)
  }

  /**
   * Give units back that this request took; what was not taken, or no longer counts, is not given.
   *
   * `units`: whole, 1 or more. Throws FST_SLUICE_BAD_UNITS.
   */
  refund (units: number): void | Promise<void> {
    checkUnits('refund', units)
    const charged = this.#standings.reduce((most, standing) => Math.max(most, standing.charged), 0)
    const returned = Math.min(units, charged - this.#refunded)
    if (returned === 0) return
    this.#refunded += returned
    return this.#adjust(-returned)
  }

  /** Whether this decision, or one before it on the same request, was made under a policy. */
  wasMadeUnder (policy: Policy): boolean {
    return this.#policy === policy || (this.#earlier !== null && this.#earlier.wasMadeUnder(policy))
  }

  get #standings (): readonly Standing[] {
    return this.#receipt === null ? [] : this.#receipt.standings
  }

  #adjust (units: number): void | Promise<void> {
    if (this.#receipt === null) return
    const { atUs, standings } = this.#receipt
    return this.#store.adjust(standings
      .filter((standing) => units > 0 || standing.charged > 0)
      .map((standing) => ({ standing, atUs, units })))
  }
}

/** The limit that the headers speak of: see `Decision.limitName`. Shadow limits speak only where nothing is enforced. */
export function bindingOf (receipt: Receipt): Standing {
  const { standings } = receipt
  let binding = standings[0]
  for (let i = 1; i < standings.length; i++) {
    if (bindsBefore(standings[i], binding)) binding = standings[i]
  }
  return binding
}

function bindsBefore (a: Standing, b: Standing): boolean {
  if (a.limit.mode !== b.limit.mode) return a.limit.mode === 'enforce'
  if (a.granted !== b.granted) return !a.granted
  if (!a.granted) return waitOf(a) > waitOf(b)
  return a.remaining * b.limit.capacity < b.remaining * a.limit.capacity
}

function waitOf (standing: Standing): number {
  return standing.retryUs === 'never' ? Infinity : standing.retryUs
}

function retryMs (standing: Standing): number | 'never' {
  return standing.retryUs === 'never' ? 'never' : Math.ceil(standing.retryUs / 1000)
}

/** A standing as users see it. */
export function standingOf (standing: Standing): LimitStanding {
  const { limit } = standing
  return {
    name: limit.name,
    limit: limit.capacity,
    max: limit.max,
    windowMs: limit.windowUs / 1000,
    remaining: standing.remaining,
    resetAfterMs: Math.ceil(standing.resetUs / 1000),
    retryAfterMs: retryMs(standing),
    mode: limit.mode,
    isExceeded: !standing.granted
  }
}

function checkUnits (call: string, units: number): void {
  if (!Number.isSafeInteger(units) || units < 1) throw new FST_SLUICE_BAD_UNITS(`request.rateLimit.${call}`, String(units))
}
