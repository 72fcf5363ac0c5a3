import type { FastifyRequest } from 'fastify'
import { loadTemporal } from '../calendar/temporal.js'
import type { Exemptions } from '../clients/exemptions.js'
import { NO_FAULTS } from '../common/log.js'
import { findStorePartition, type Client } from '../model/client.js'
import type { Policy } from '../policies/policy.js'
import {
  computeDelayUs, findSlot, isUnavailable, toUncharged, type Answer, type Charge, type Receipt, type Store, type Unavailable
} from '../stores/store.js'
import type { Reservation } from '../throttle/delay-queue.js'
import { ChargeBuilder } from './charges.js'
import { CostResolver, type Cost } from './cost.js'
import { findDecision, RequestDecision } from './decision.js'
import { saveReservation } from './hold.js'
import type { DeciderContext } from './limiter-context.js'
import { isLostPeerCharged, refuseLostPeer } from './lost-peer.js'
import { selectRollout } from './rollout.js'
import { isBehindOthers, mayWait, refuseSlot, waitForSlot } from './wait-for-slot.js'

/** A check that needs more than one step: the store is asynchronous, fails, or the request may be held. */
interface PendingCheck {
  readonly policy: Policy
  /** `null` for a client without a request. */
  readonly request: FastifyRequest | null
  readonly client: Client
  readonly charges: readonly Charge[]
  readonly reservation: Reservation | null
}

type UnchargedCheck = Omit<PendingCheck, 'charges'> & { readonly request: FastifyRequest }

/** Identifies the client of a request, charges it and decides. */
export class Decider {
  readonly #context: DeciderContext
  readonly #chargeBuilder: ChargeBuilder
  /** For calls before or without the hook of a policy: what its functions read may be missing. */
  readonly #earlyChargeBuilder: ChargeBuilder
  readonly #earlyCosts: CostResolver

  /** `takesSlots`: whether decisions may hold slots of concurrency limits. */
  constructor (context: DeciderContext, takesSlots: boolean) {
    this.#context = context
    this.#chargeBuilder = new ChargeBuilder(context, takesSlots)
    this.#earlyChargeBuilder = new ChargeBuilder({ identifier: context.identifier, faults: NO_FAULTS, recorder: null }, false)
    this.#earlyCosts = new CostResolver(context.identifier, NO_FAULTS)
  }

  /**
   * Decide a request. Synchronous if the store and the identification are.
   *
   * `maxHoldUs`: how long the request may be held if its policy throttles. 0: it is refused.
   */
  decide (policy: Policy, request: FastifyRequest, maxHoldUs: number): RequestDecision | Promise<RequestDecision> {
    const { exemptions } = this.#context
    const isExempt = exemptions !== null && this.#isExempt(exemptions, request)
    if (isExempt === false) return this.#decideLimited(policy, request, maxHoldUs)
    return isExempt === true ? this.#exemptByRequest(policy, request) : this.#decideLater(policy, request, isExempt, maxHoldUs)
  }

  async #decideLater (policy: Policy, request: FastifyRequest, isExempt: Promise<boolean>, maxHoldUs: number): Promise<RequestDecision> {
    return await isExempt ? this.#exemptByRequest(policy, request) : this.#decideLimited(policy, request, maxHoldUs)
  }

  #exemptByRequest (policy: Policy, request: FastifyRequest): RequestDecision {
    return this.#exempt(policy, request, this.#context.identifier.identifyByAddress(request))
  }

  #decideLimited (policy: Policy, request: FastifyRequest, maxHoldUs: number): RequestDecision | Promise<RequestDecision> {
    const client = this.#context.identifier.identify(request, policy)
    return client instanceof Promise
      ? this.#checkLimitsAsync(policy, request, client, maxHoldUs)
      : this.#checkLimits(policy, request, client, maxHoldUs)
  }

  /**
   * Decide for a client that is known without the hook of the policy. A cost of 0 only looks. `null` if the client is not
   * limited. Synchronous if the store is, and the functions of the policy.
   */
  decideEarly (base: Policy, request: FastifyRequest, identified: Client, cost: Cost): RequestDecision | null | Promise<RequestDecision> {
    const { tiers } = this.#context
    const client = identified.kind === 'user' ? tiers.normalize(identified) : identified
    const policy = this.#findPolicy(base, client)
    if (policy === null) return null
    const charges = this.#earlyChargeBuilder.buildAll(policy, { request, client, cost, maxHoldUs: policy.throttle === null ? 0 : Infinity })
    if (charges instanceof Promise) return this.#takeEarlyLater({ policy, request, client, reservation: null }, charges)
    const answer = this.#take(charges, request)
    const check = { policy, request, client, charges, reservation: null }
    return answer instanceof Promise ? this.#resolveEarlyAsync(check, answer) : this.#resolveEarly(check, answer)
  }

  /**
   * Decide for a client without a request. `address`: its full address, if it is known by one.
   * Rejects with FST_SLUICE_CONTRADICTION if a function of the request computes the numbers, or no limit applies.
   */
  async decideWithoutRequest (base: Policy, identified: Client, address: string | null): Promise<RequestDecision> {
    const { tiers, store, exemptions } = this.#context
    const client = identified.kind === 'user' ? tiers.normalize(identified) : identified
    const isExempt = exemptions !== null && address !== null && exemptions.hasAddress(address)
    const policy = isExempt ? null : this.#findPolicy(base, client)
    if (policy === null) return new RequestDecision(base, client, 'exempt', store, null)
    const charges = this.#chargeBuilder.buildWithoutRequest(policy, client)
    const check = { policy, request: null, client, charges, reservation: null }
    if (policy.hasPeriods) await loadTemporal()
    if (isBehindOthers(policy, charges)) return await this.#wait(check, null)
    return await this.#waitIfRefused(check, this.#resolve(check, await store.take(charges)))
  }

  /** See `CostResolver.resolveEarly`. */
  resolveEarlyCost (policy: Policy, request: FastifyRequest): Cost | Promise<Cost> {
    return this.#earlyCosts.resolveEarly(policy, request)
  }

  /** Whether a request is exempt for every user. */
  #isExempt (exemptions: Exemptions, request: FastifyRequest): boolean | Promise<boolean> {
    return exemptions.hasAddress(this.#context.identifier.getAddress(request)) || exemptions.isExemptRequest(request)
  }

  #exempt (policy: Policy, request: FastifyRequest, client: Client): RequestDecision {
    return new RequestDecision(policy, client, 'exempt', this.#context.store, findDecision(request))
  }

  async #checkLimitsAsync (policy: Policy, request: FastifyRequest, client: Promise<Client>, maxHoldUs: number): Promise<RequestDecision> {
    return this.#checkLimits(policy, request, await client, maxHoldUs)
  }

  #checkLimits (base: Policy, request: FastifyRequest, identified: Client, maxHoldUs: number): RequestDecision | Promise<RequestDecision> {
    const { tiers, store, delayQueue } = this.#context
    const client = identified.kind === 'user' ? tiers.normalize(identified) : identified
    const policy = this.#findPolicy(base, client)
    if (policy === null) return this.#exempt(base, request, client)
    // Reserve before the store call. Otherwise all requests of one turn would get the last free place.
    const throttle = maxHoldUs > 0 ? policy.throttle : null
    const reservation = throttle === null ? null : delayQueue.reserve(policy.scope, findStorePartition(client), throttle)
    const charges = this.#chargeBuilder.build(policy, request, client, reservation === null ? 0 : maxHoldUs)
    if (charges instanceof Promise) return this.#takeLater({ policy, request, client, reservation }, charges)
    if (isBehindOthers(policy, charges)) return this.#wait({ policy, request, client, charges, reservation }, null)
    const answer = this.#take(charges, request)
    if (answer instanceof Promise) return this.#resolveAsync({ policy, request, client, charges, reservation }, answer)
    const decision = reservation !== null || isUnavailable(answer)
      ? this.#resolve({ policy, request, client, charges, reservation }, answer)
      : new RequestDecision(policy, client, answer, store, findDecision(request))
    return mayWait(decision) ? this.#wait({ policy, request, client, charges, reservation }, decision) : decision
  }

  async #waitIfRefused (check: PendingCheck, decision: RequestDecision): Promise<RequestDecision> {
    return mayWait(decision) ? await this.#wait(check, decision) : decision
  }

  /** `refused`: the decision without a wait; `null` for a request that has to wait behind others, and was not decided. */
  async #wait (check: PendingCheck, refused: RequestDecision | null): Promise<RequestDecision> {
    const { policy: { concurrency }, charges, request } = check
    const slot = findSlot(charges)
    if (concurrency === null || slot === undefined) throw new TypeError('a request without a slot waits for one')
    const { store, metrics } = this.#context
    const attempt = async () => this.#resolve(check, await store.take(charges))
    const refuse = async () => {
      return refused ?? this.#resolve(check, refuseSlot(slot, await store.take(charges.slice(0, -1).map(toUncharged))))
    }
    return await waitForSlot({ concurrency, partition: slot.partition, request, metrics, attempt, refuse })
  }

  /** The policy that applies to a client; `null` if the client is not limited. */
  #findPolicy (base: Policy, client: Client): Policy | null {
    const policy = base.tiers === null && client.kind !== 'user' ? base : this.#findTierPolicy(base, client)
    return policy === null || policy.rollout === null ? policy : selectRollout(policy, policy.rollout, findStorePartition(client))
  }

  /** The policy of a client's tier; `null` if the client is not limited. */
  #findTierPolicy (base: Policy, client: Client): Policy | null {
    const { exemptions } = this.#context
    if (client.kind === 'user' && exemptions !== null && exemptions.hasUser(client.id)) return null
    const policy = base.tiers === null ? base : base.tiers.get(client.tier)
    return policy === undefined ? base : policy
  }

  async #takeLater (unchargedCheck: UnchargedCheck, pending: Promise<readonly Charge[]>): Promise<RequestDecision> {
    const charges = await pending
    const check = { ...unchargedCheck, charges }
    if (isBehindOthers(check.policy, charges)) return await this.#wait(check, null)
    return await this.#waitIfRefused(check, this.#resolve(check, await this.#take(charges, check.request)))
  }

  async #takeEarlyLater (check: UnchargedCheck, pending: Promise<readonly Charge[]>): Promise<RequestDecision> {
    const charges = await pending
    return this.#resolveEarly({ ...check, charges }, await this.#take(charges, check.request))
  }

  #take (charges: readonly Charge[], request: FastifyRequest): Answer | Promise<Answer> {
    return isLostPeerCharged(charges, request) ? refuseLostPeer(charges) : this.#context.store.take(charges)
  }

  async #resolveAsync (check: PendingCheck, answer: Promise<Answer>): Promise<RequestDecision> {
    return await this.#waitIfRefused(check, this.#resolve(check, await answer))
  }

  #resolve (check: PendingCheck, answer: Answer): RequestDecision {
    if (isUnavailable(answer)) this.#countFallback(check, answer)
    return this.#conclude(check, answer)
  }

  async #resolveEarlyAsync (check: PendingCheck, answer: Promise<Answer>): Promise<RequestDecision> {
    return this.#resolveEarly(check, await answer)
  }

  /** A fallback is counted once per request: here if the request ends here, otherwise in its hook. */
  #resolveEarly (check: PendingCheck, answer: Answer): RequestDecision {
    if (isUnavailable(answer) && check.policy.failureMode === 'closed') this.#countFallback(check, answer)
    return this.#conclude(check, answer)
  }

  #countFallback ({ policy }: PendingCheck, { unavailable }: Unavailable): void {
    const { metrics, activity, store } = this.#context
    if (activity !== null) activity.fallbacks++
    metrics?.countFallback(policy.failureMode, store.kind, unavailable)
  }

  #conclude (check: PendingCheck, answer: Answer): RequestDecision {
    const { store, local, findKnownBlock } = this.#context
    const { policy, request, client, charges, reservation } = check
    if (!isUnavailable(answer)) return this.#createDecision(check, answer, store)
    // A known block stays in effect until its end, even while the store is unavailable.
    if (policy.failureMode === 'local') return this.#createDecision(check, findKnownBlock(charges) ?? local.take(charges), local)
    reservation?.release()
    return new RequestDecision(policy, client, 'unavailable', store, findPrevious(request))
  }

  #createDecision ({ policy, request, client, reservation }: PendingCheck, receipt: Receipt, store: Store): RequestDecision {
    const decision = new RequestDecision(policy, client, receipt, store, findPrevious(request))
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

function findPrevious (request: FastifyRequest | null): RequestDecision | null {
  return request === null ? null : findDecision(request)
}
