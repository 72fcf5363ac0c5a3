import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Client } from '../model/client.js'
import type { Policy } from '../policies/policy.js'
import type { LaterHook } from '../policies/route-table.js'
import { Responder } from './answer.js'
import { Decider } from './decide.js'
import { findDecision, type RequestDecision } from './decision.js'
import { DeferredLimiter } from './deferred.js'
import { DeferredRequest } from './deferred-request.js'
import { computeMaxHoldUs } from './hold.js'
import type { LimiterContext, Next } from './limiter-context.js'
import { onFinished } from './on-finished.js'
import { leaveLine } from './wait-for-slot.js'

/**
 * Limits requests: identify the client, charge it, decide, respond. All of it runs synchronously and without a promise
 * if the store and the identification are synchronous.
 */
export class RequestLimiter {
  readonly #decider: Decider
  /** For checks that hold no slots. */
  readonly #slotlessDecider: Decider
  readonly #responder: Responder
  readonly #deferredLimiter: DeferredLimiter

  constructor (context: LimiterContext) {
    this.#decider = new Decider(context, true)
    this.#slotlessDecider = new Decider(context, false)
    this.#responder = new Responder(context)
    this.#deferredLimiter = new DeferredLimiter(context, this.#decider, this.#responder)
  }

  /**
   * Limit a request, unless this policy has already decided it: a hook may run more than once per request.
   *
   * Calls `next` if the request may continue, or with an error for the application's error handler. Does not call `next`
   * if the refusal was sent.
   */
  limit (policy: Policy, request: FastifyRequest, reply: FastifyReply, next: Next): void {
    if (findDecision(request)?.hasUsedPolicy(policy) === true) {
      next()
      return
    }
    const decision = this.#decider.decide(policy, request, policy.throttle === null ? 0 : computeMaxHoldUs(reply))
    if (decision instanceof Promise) {
      if (policy.mayQueue) onFinished(reply, () => { leaveLine(request) })
      this.#answerAsync(decision, reply, next)
    } else {
      this.#responder.answer(decision, reply, next)
    }
  }

  /**
   * Ask for a request that the hook of a later phase limits. Calls `next` if the request may continue to that hook.
   * A request that ends before it is charged to its address.
   */
  defer (policy: Policy, place: LaterHook, reply: FastifyReply, next: Next): void {
    this.#deferredLimiter.defer(new DeferredRequest(policy, place, reply, this), next)
  }

  /**
   * Decide without writing to the response: for a job, or one message of a socket. `holdsSlot`: whether the decision holds
   * a slot, which the caller must release.
   */
  async check (policy: Policy, request: FastifyRequest, holdsSlot: boolean): Promise<RequestDecision> {
    const decision = await (holdsSlot ? this.#decider : this.#slotlessDecider).decide(policy, request, 0)
    this.#responder.record(decision, request)
    return decision
  }

  /** Decide for a client without a request. `address`: its full address, if it is known by one. `holdsSlot`: see `check`. */
  async consume (policy: Policy, client: Client, address: string | null, holdsSlot: boolean): Promise<RequestDecision> {
    const decision = await (holdsSlot ? this.#decider : this.#slotlessDecider).decideWithoutRequest(policy, client, address)
    this.#responder.recordWithoutRequest(decision)
    return decision
  }

  /** A separate method, so that the synchronous path allocates no closure. */
  #answerAsync (pending: Promise<RequestDecision>, reply: FastifyReply, next: Next): void {
    pending.then((decision) => this.#responder.answer(decision, reply, next), next)
  }
}
