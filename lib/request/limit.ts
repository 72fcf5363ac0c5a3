import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Policy } from '../policies/policy.js'
import { Responder } from './answer.js'
import { Decider } from './decide.js'
import { findDecision, type RequestDecision } from './decision.js'
import type { LimiterContext, Next } from './limiter-context.js'

/**
 * Limits requests: identify the client, charge it, decide, answer. With a store that answers in the same turn, and a
 * client known by its address, all of it happens in this turn and without a promise.
 */
export class RequestLimiter {
  readonly #decider: Decider
  readonly #responder: Responder

  constructor (context: LimiterContext) {
    this.#decider = new Decider(context)
    this.#responder = new Responder(context)
  }

  /**
   * Limit a request, unless this policy has decided it before: a hook may run more than once per request. Calls `next`
   * when the request may go on, with an error when the application's error handler is to answer, and not at all when
   * the refusal was sent.
   */
  limit (policy: Policy, request: FastifyRequest, reply: FastifyReply, next: Next): void {
    if (findDecision(request)?.hasUsedPolicy(policy) === true) {
      next()
      return
    }
    const decision = this.#decider.decide(policy, request, true)
    if (decision instanceof Promise) this.#answerAsync(decision, reply, next)
    else this.#responder.answer(decision, reply, next)
  }

  /** Decide without answering: for a job, or one message of a socket. */
  async check (policy: Policy, request: FastifyRequest): Promise<RequestDecision> {
    const decision = await this.#decider.decide(policy, request, false)
    this.#responder.record(decision, request)
    return decision
  }

  /** Kept separate, like everything here that waits: a closure would allocate its captured variables on every call. */
  #answerAsync (pending: Promise<RequestDecision>, reply: FastifyReply, next: Next): void {
    pending.then((decision) => this.#responder.answer(decision, reply, next), next)
  }
}
