import type { FastifyRequest } from 'fastify'
import { FST_SLUICE_BAD_UNITS } from '../errors.js'
import type { Client } from '../model/client.js'
import type { Decision, LimitStanding, Outcome } from '../model/decision.js'
import type { Concurrency, Policy } from '../policies/policy.js'
import { findSlot, type Limit, type Receipt, type Standing, type Store } from '../stores/store.js'
import { Corrections } from './corrections.js'
import { findUnits, type Cost } from './cost.js'
import { settleDecisions } from './settle.js'
import { selectBinding, toRetryAfterMs, toLimitStanding } from './standing.js'

/** The last decision of a request; `null` without one, or if another copy of this plugin made it. */
export function findDecision (request: FastifyRequest): RequestDecision | null {
  const { rateLimit } = request
  return rateLimit instanceof RequestDecision ? rateLimit : null
}

/** A decision with its internal parts: the policy and the store's receipt. */
export class RequestDecision implements Decision {
  outcome: Outcome
  readonly client: Client
  readonly limitName: string
  readonly limit: number
  remaining: number
  resetAfterMs: number
  delayUs = 0
  readonly retryAfterMs: number | 'never'
  /** The limit of requests in flight, if only that one refused; else `null`. */
  readonly refusingConcurrency: Concurrency | null = null

  /** The policy that was applied. If the client's tier has its own limits, it is the tier's policy. */
  readonly #policy: Policy
  readonly #receipt: Receipt | null
  readonly #store: Store
  readonly #previous: RequestDecision | null
  /** `null` until a charge of this decision is corrected. */
  #corrections: Corrections | null = null
  /** The slot that this decision holds, until it is released. */
  #slot: Standing | null = null
  #slotBeganUs = 0

  /**
   * `result`: the store's receipt, or the reason why the store gave no receipt. Without one, all numbers are 0.
   * `previous`: the previous decision for the same request.
   */
  constructor (policy: Policy, client: Client, result: Receipt | 'exempt' | 'unavailable', store: Store, previous: RequestDecision | null) {
    this.client = client
    this.#policy = policy
    this.#store = store
    this.#previous = previous
    if (typeof result === 'string') {
      this.#receipt = null
      this.outcome = result
      this.limitName = ''
      this.limit = 0
      this.remaining = 0
      this.resetAfterMs = 0
      this.retryAfterMs = 0
    } else {
      const binding = selectBinding(result.standings)
      this.refusingConcurrency = policy.concurrency === null ? null : this.#beginSlot(policy.concurrency, result, binding)
      this.#receipt = result
      this.outcome = result.granted ? 'allowed' : result.blocks.length > 0 ? 'blocked' : 'rejected'
      this.limitName = (this.refusingConcurrency ?? binding).limit.name
      this.limit = binding.limit.capacity
      this.remaining = binding.remaining
      this.resetAfterMs = Math.ceil(binding.resetUs / 1000)
      this.retryAfterMs = result.granted ? 0 : this.refusingConcurrency?.usage.estimateRetryMs() ?? computeRetryAfterMs(result, binding)
    }
  }

  /** Hold the slot that a request took. Returns `concurrency` if only a missing slot refuses the request, else `null`. */
  #beginSlot (concurrency: Concurrency, { blocks, standings }: Receipt, binding: Standing): Concurrency | null {
    const slot = findSlot(standings)
    if (slot === undefined) return null
    if (slot.charged > 0) {
      this.#slot = slot
      this.#slotBeganUs = concurrency.usage.begin()
    }
    const isGrantedByRates = blocks.length === 0 && (binding.granted || binding.limit.mode === 'shadow')
    return isGrantedByRates && !slot.granted && slot.limit.mode === 'enforce' ? concurrency : null
  }

  /** Whether this decision holds a slot. */
  get hasSlot (): boolean {
    return this.#slot !== null
  }

  /** Whether this decision, or a previous one for the same request, holds a slot of a limit and a partition. */
  holdsSlot (limit: Limit, partition: string): boolean {
    const isSame = this.#slot !== null && this.#slot.limit.bucket === limit.bucket && this.#slot.partition === partition
    return isSame || (this.#previous !== null && this.#previous.holdsSlot(limit, partition))
  }

  get policy (): Policy {
    return this.#policy
  }

  /** The previous decision for the same request. */
  get previous (): RequestDecision | null {
    return this.#previous
  }

  /** The standing of each charge, as returned by the store; empty without a receipt. */
  get storeStandings (): readonly Standing[] {
    return this.#receipt === null ? NO_STANDINGS : this.#receipt.standings
  }

  get isRefused (): boolean {
    switch (this.outcome) {
      case 'rejected':
      case 'blocked': return true
      // A policy whose limits are all in shadow mode never refuses.
      case 'unavailable': return this.#policy.failureMode === 'closed' && this.#policy.isEnforced
      case 'allowed':
      case 'delayed':
      case 'exempt': return false
      default: return this.outcome satisfies never
    }
  }

  get beganBlock (): boolean {
    return this.#receipt !== null && this.#receipt.blocks.some(({ began }) => began)
  }

  get standings (): readonly LimitStanding[] {
    return this.storeStandings.map((standing) => toLimitStanding(standing, this.delayUs, this.#corrections?.computeRemaining(standing)))
  }

  /** The same decision as a refusal by some of its limits. */
  refuseBy (isRefusing: (standing: Standing) => boolean, retryUs: number): RequestDecision {
    const receipt = this.#receipt
    if (receipt === null) return this
    const standings = receipt.standings.map((standing) => {
      return isRefusing(standing) ? { ...standing, granted: false, remaining: 0, retryUs } : standing
    })
    return new RequestDecision(this.#policy, this.client, { ...receipt, granted: false, standings }, this.#store, this.#previous)
  }

  /** Turn a granted decision into a delayed one. `delayUs`: 1 or more. */
  delayBy (delayUs: number): void {
    if (this.#receipt === null) return
    this.outcome = 'delayed'
    this.delayUs = delayUs
    this.resetAfterMs = Math.ceil((selectBinding(this.#receipt.standings).resetUs - delayUs) / 1000)
  }

  charge (units: number): void | Promise<void> {
    checkUnits('charge', units)
    // A decision without a receipt took nothing, so the previous decision is charged.
    if (this.#receipt === null) return this.#previous?.charge(units)
    return this.#correct((corrections) => corrections.charge(() => units))
  }

  /** Charge what a request costs that was refused too late. */
  chargeCost (cost: Cost): void | Promise<void> {
    return this.#correct((corrections) => corrections.charge(({ limit }) => findUnits(cost, this.#policy, limit)))
  }

  refund (units: number): void | Promise<void> {
    checkUnits('refund', units)
    return this.#correct((corrections) => corrections.refund(units))
  }

  refundAll (): void | Promise<void> {
    return this.#correct((corrections) => corrections.refund(Infinity))
  }

  settle (used: Readonly<Record<string, number>>): void | Promise<void> {
    return settleDecisions(this, used)
  }

  /** Settle the limits of this decision alone. `used`: by the names of its limits. */
  settleOwn (used: ReadonlyMap<string, number>): void | Promise<void> {
    return this.#correct((corrections) => corrections.settle(used))
  }

  /** Refund limits that were not settled until the end of the response. */
  refundUnsettled (names: ReadonlySet<string>): void | Promise<void> {
    return this.#correct((corrections) => corrections.refundUnsettled(names))
  }

  release (): void | Promise<void> {
    return this.releaseAfter(true)
  }

  /** Give the slot back. `isWhole`: whether the response was sent, and not by a failure. Only then its time is that of the work. */
  releaseAfter (isWhole: boolean): void | Promise<void> {
    const slot = this.#slot
    if (slot === null || this.#receipt === null) return
    this.#slot = null
    const released = this.#store.adjust([{ standing: slot, atUs: slot.atUs ?? this.#receipt.atUs, units: -slot.charged }])
    const usage = this.#policy.concurrency?.usage
    usage?.end(this.#slotBeganUs, isWhole)
    usage?.wake(slot.partition)
    return released
  }

  [Symbol.dispose] (): void {
    this.release()
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.release()
  }

  /**
   * Refund a request whose client left before it was due. The store refunds only if no request waits behind it:
   * otherwise a new request would be served at the same time as the next one.
   */
  leaveQueue (): void | Promise<void> {
    return this.#correct((corrections) => corrections.refundLast())
  }

  /** Whether this decision, or a previous one for the same request, used a policy. */
  hasUsedPolicy (policy: Policy): boolean {
    return this.#policy === policy || this.#policy.parent === policy || (this.#previous !== null && this.#previous.hasUsedPolicy(policy))
  }

  #correct (correct: (corrections: Corrections) => void | Promise<void>): void | Promise<void> {
    if (this.#receipt === null) return
    this.#corrections ??= new Corrections(this.#receipt, this.#store)
    const corrected = correct(this.#corrections)
    this.remaining = this.#corrections.computeRemaining(selectBinding(this.#receipt.standings))
    return corrected
  }
}

const NO_STANDINGS: readonly Standing[] = []

/** The wait of the limit that binds, or the longest block if that is longer. */
function computeRetryAfterMs ({ blocks }: Receipt, binding: Standing): number | 'never' {
  const ms = toRetryAfterMs(binding)
  return ms === 'never' ? ms : blocks.reduce((longest, { blockedUs }) => Math.max(longest, Math.ceil(blockedUs / 1000)), ms)
}

function checkUnits (call: string, units: number): void {
  if (Number.isSafeInteger(units) && units >= 1) return
  throw new FST_SLUICE_BAD_UNITS(`request.rateLimit.${call}`, 'a whole number of units, 1 or more', String(units))
}
