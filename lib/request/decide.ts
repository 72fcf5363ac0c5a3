import type { FastifyRequest } from 'fastify'
import type { Exemptions } from '../clients/exemptions.js'
import { findStorePartition, type Client } from '../model/client.js'
import type { Policy } from '../policies/policy.js'
import { computeDelayUs, isUnavailable, type Answer, type Charge, type Receipt, type Store } from '../stores/store.js'
import type { Reservation } from '../throttle/delay-queue.js'
import { ChargeBuilder } from './charges.js'
import { findDecision, RequestDecision } from './decision.js'
import { saveReservation } from './hold.js'
import type { LimiterContext } from './limiter-context.js'
import { isLostPeerCharged, refuseLostPeer } from './lost-peer.js'
import { selectRollout } from './rollout.js'

/** A check that needs more than one step: the store is asynchronous, fails, or the request may be held. */
interface PendingCheck {
  readonly policy: Policy
  readonly request: FastifyRequest
  readonly client: Client
  readonly charges: readonly Charge[]
  readonly reservation: Reservation | null
}

/** Identifies the client of a request, charges it and decides. */
export class Decider {
  readonly #context: LimiterContext
  readonly #chargeBuilder: ChargeBuilder

  constructor (context: LimiterContext) {
    this.#context = context
    this.#chargeBuilder = new ChargeBuilder(context)
  }

  /**
   * Decide a request. Synchronous if the store and the identification are.
   *
   * `mayHold`: whether the request can be held if its policy throttles. Otherwise it is refused.
   */
  decide (policy: Policy, request: FastifyRequest, mayHold: boolean): RequestDecision | Promise<RequestDecision> {
    const { exemptions, identifier } = this.#context
    if (exemptions !== null && this.#isExempt(exemptions, request)) {
      return this.#exempt(policy, request, identifier.identifyByAddress(request))
    }
    const client = identifier.identify(request, policy)
    return client instanceof Promise
      ? this.#checkLimitsAsync(policy, request, client, mayHold)
      : this.#checkLimits(policy, request, client, mayHold)
  }

  /** Whether a request is exempt for every user. */
  #isExempt (exemptions: Exemptions, request: FastifyRequest): boolean {
    return exemptions.hasAddress(this.#context.identifier.getAddress(request)) || exemptions.isExemptRequest(request)
  }

  #exempt (policy: Policy, request: FastifyRequest, client: Client): RequestDecision {
    return new RequestDecision(policy, client, 'exempt', this.#context.store, findDecision(request))
  }

  async #checkLimitsAsync (policy: Policy, request: FastifyRequest, client: Promise<Client>, mayHold: boolean): Promise<RequestDecision> {
    return this.#checkLimits(policy, request, await client, mayHold)
  }

  #checkLimits (base: Policy, request: FastifyRequest, identified: Client, mayHold: boolean): RequestDecision | Promise<RequestDecision> {
    const { tiers, store, delayQueue } = this.#context
    const client = identified.kind === 'user' ? tiers.normalize(identified) : identified
    const clientPolicy = base.tiers === null && client.kind !== 'user' ? base : this.#findTierPolicy(base, client)
    if (clientPolicy === null) return this.#exempt(base, request, client)
    const partition = findStorePartition(client)
    const policy = clientPolicy.rollout === null ? clientPolicy : selectRollout(clientPolicy, clientPolicy.rollout, partition)
    // Reserve before the store call. Otherwise all requests of one turn would get the last free place.
    const reservation = mayHold && policy.throttle !== null ? delayQueue.reserve(policy.scope, partition, policy.throttle) : null
    const charges = this.#chargeBuilder.build(policy, request, client, reservation !== null)
    const answer = isLostPeerCharged(charges, request) ? refuseLostPeer(charges) : store.take(charges)
    if (answer instanceof Promise) return this.#resolveAsync({ policy, request, client, charges, reservation }, answer)
    return reservation !== null || isUnavailable(answer)
      ? this.#resolve({ policy, request, client, charges, reservation }, answer)
      : new RequestDecision(policy, client, answer, store, findDecision(request))
  }

  /** The policy of a client's tier; `null` if the client is not limited. */
  #findTierPolicy (base: Policy, client: Client): Policy | null {
    const { exemptions } = this.#context
    if (client.kind === 'user' && exemptions !== null && exemptions.hasUser(client.id)) return null
    const policy = base.tiers === null ? base : base.tiers.get(client.tier)
    return policy === undefined ? base : policy
  }

  async #resolveAsync (check: PendingCheck, answer: Promise<Answer>): Promise<RequestDecision> {
    return this.#resolve(check, await answer)
  }

  #resolve (check: PendingCheck, answer: Answer): RequestDecision {
    const { store, local, metrics, findKnownBlock } = this.#context
    const { policy, request, client, charges, reservation } = check
    if (!isUnavailable(answer)) return this.#createDecision(check, answer, store)
    metrics?.countFallback(policy.failureMode, store.kind, answer.unavailable)
    // A known block stays in effect until its end, even while the store is unavailable.
    if (policy.failureMode === 'local') return this.#createDecision(check, findKnownBlock(charges) ?? local.take(charges), local)
    reservation?.release()
    return new RequestDecision(policy, client, 'unavailable', store, findDecision(request))
  }

  #createDecision ({ policy, request, client, reservation }: PendingCheck, receipt: Receipt, store: Store): RequestDecision {
    const decision = new RequestDecision(policy, client, receipt, store, findDecision(request))
    const delayUs = reservation === null ? 0 : computeDelayUs(receipt)
    if (reservation !== null && delayUs > 0) {
      decision.delayBy(delayUs)
      saveReservation(decision, reservation)
    } else {
      reservation?.release()
    }
    return decision
  }
}
