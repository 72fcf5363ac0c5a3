import type { FastifyRequest } from 'fastify'
import type { Client } from '../clients/client.js'
import { FST_SLUICE_BAD_UNITS } from '../errors.js'
import type { Receipt, Standing, Store } from '../stores/store.js'
import type { Policy } from './policy.js'
import { bindingOf, retryMs, standingOf, type LimitStanding } from './standing.js'

/**
 * What became of a request: let through at once (`allowed`) or after it was held (`delayed`); refused by a limit (`rejected`) or
 * a penalty (`blocked`); not counted, since nothing limits it (`exempt`) or the store could not answer (`unavailable`).
 */
export type Outcome = 'allowed' | 'delayed' | 'rejected' | 'blocked' | 'exempt' | 'unavailable'

/** The policy that a decision was made under: that of the client's tier, where it has one of its own. */
export let policyOf: (decision: Decision) => Policy

/** What each charge met, as the store said it; empty where it was not asked or could not answer. */
export let standingsOf: (decision: Decision) => readonly Standing[]

/** What was decided for a request; `null` also for one of a route outside the registration, which it did not decorate. */
export function lastDecisionOf (request: FastifyRequest): Decision | null {
  return request.rateLimit ?? null
}

/** The answer for a request: `request.rateLimit`. */
export class Decision {
  static {
    policyOf = (decision) => decision.#policy
    standingsOf = (decision) => decision.#standings
  }

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

  readonly #policy: Policy
  readonly #receipt: Receipt | null
  readonly #store: Store
  readonly #earlier: Decision | null
  #refunded = 0

  /**
   * `ruling`: what the store said, or why it was not asked or could not answer; the numbers are then all 0.
   * `delayUs`: how long the request is held, microseconds.
   *
   * @internal
   */
  constructor (policy: Policy, client: Client, ruling: Receipt | 'exempt' | 'unavailable', store: Store, earlier: Decision | null, delayUs = 0) {
    this.client = client
    this.#policy = policy
    this.#store = store
    this.#earlier = earlier
    if (typeof ruling === 'string') {
      this.#receipt = null
      this.outcome = ruling
      this.limitName = ''
      this.limit = 0
      this.remaining = 0
      this.resetAfterMs = 0
      this.delayUs = 0
      this.retryAfterMs = 0
    } else {
      const binding = bindingOf(ruling)
      this.#receipt = ruling
      this.outcome = outcomeOf(ruling, delayUs)
      this.limitName = binding.limit.name
      this.limit = binding.limit.capacity
      this.remaining = binding.remaining
      this.resetAfterMs = Math.ceil((binding.resetUs - delayUs) / 1000)
      this.delayUs = delayUs
      this.retryAfterMs = ruling.granted ? 0 : waitMs(ruling, binding)
    }
  }

  /**
   * Whether the request is to be refused: rejected, blocked, or for want of the store under `failureMode: 'closed'`. For
   * what `fastify.rateLimit.check` answers; a route's request is refused by the plugin itself.
   */
  get isRefused (): boolean {
    switch (this.outcome) {
      case 'rejected':
      case 'blocked': return true
      // What only tries limits never refuses.
      case 'unavailable': return this.#policy.failureMode === 'closed' && this.#policy.isEnforced
      case 'allowed':
      case 'delayed':
      case 'exempt': return false
      default: return this.outcome satisfies never
    }
  }

  /** Whether this refusal began a block of its client: true once per block. */
  get beganBlock (): boolean {
    return this.#receipt !== null && this.#receipt.blocks.some(({ began }) => began)
  }

  /** One for each limit of the policy, in their order; shadow limits too. */
  get standings (): readonly LimitStanding[] {
    return this.#standings.map((standing) => standingOf(standing, this.delayUs))
  }

  /**
   * Charge more units after the work is done, into debt if need be; the debt is bounded by one extra window.
   *
   * `units`: whole, 1 or more. Throws FST_SLUICE_BAD_UNITS.
   */
  charge (units: number): void | Promise<void> {
    checkUnits('charge', units)
    // One that took nothing, such as an exempt one, may have come after one that did.
    return this.#receipt === null && this.#earlier !== null ? this.#earlier.charge(units) : this.#adjust(units)
  }

  /**
   * Give units back that this request took when it was decided; what was not taken then, or no longer counts, is not given.
   *
   * `units`: whole, 1 or more. Throws FST_SLUICE_BAD_UNITS.
   */
  refund (units: number): void | Promise<void> {
    checkUnits('refund', units)
    const returned = Math.min(units, this.#charged - this.#refunded)
    if (returned === 0) return
    this.#refunded += returned
    return this.#adjust(-returned)
  }

  /** Give back everything that this request took. */
  refundAll (): void | Promise<void> {
    const units = this.#charged - this.#refunded
    if (units > 0) return this.refund(units)
  }

  /**
   * The request left before it was due. Its units return only where nobody is in line behind it: else a newcomer would
   * be served beside the next one.
   *
   * @internal
   */
  leaveLine (): void | Promise<void> {
    const units = this.#charged - this.#refunded
    if (units <= 0 || this.#receipt === null) return
    this.#refunded += units
    const { atUs, standings } = this.#receipt
    return this.#store.adjust(standings
      .filter((standing) => standing.charged > 0)
      .map((standing) => ({ standing, atUs: standing.atUs ?? atUs, units: -units, onlyIfLast: true })))
  }

  /**
   * Whether this decision, or one before it on the same request, was made under a policy.
   *
   * @internal
   */
  wasMadeUnder (policy: Policy): boolean {
    return this.#policy === policy || this.#policy.parent === policy || (this.#earlier !== null && this.#earlier.wasMadeUnder(policy))
  }

  get #charged (): number {
    return this.#standings.reduce((most, standing) => Math.max(most, standing.charged), 0)
  }

  get #standings (): readonly Standing[] {
    return this.#receipt === null ? NO_STANDINGS : this.#receipt.standings
  }

  #adjust (units: number): void | Promise<void> {
    if (this.#receipt === null) return
    const { atUs, standings } = this.#receipt
    return this.#store.adjust(standings
      .filter((standing) => units > 0 || standing.charged > 0)
      .map((standing) => ({ standing, atUs: standing.atUs ?? atUs, units })))
  }
}

const NO_STANDINGS: readonly Standing[] = []

function outcomeOf ({ granted, blocks }: Receipt, delayUs: number): Outcome {
  if (granted) return delayUs > 0 ? 'delayed' : 'allowed'
  return blocks.length > 0 ? 'blocked' : 'rejected'
}

/** The wait of the limit that binds, or the longest block where that is longer. */
function waitMs ({ blocks }: Receipt, binding: Standing): number | 'never' {
  const ms = retryMs(binding)
  return ms === 'never' ? ms : blocks.reduce((longest, { blockedUs }) => Math.max(longest, Math.ceil(blockedUs / 1000)), ms)
}

function checkUnits (call: string, units: number): void {
  if (!Number.isSafeInteger(units) || units < 1) throw new FST_SLUICE_BAD_UNITS(`request.rateLimit.${call}`, String(units))
}
