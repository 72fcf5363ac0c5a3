import type { FastifyReply, FastifyRequest } from 'fastify'
import { isThenable } from '../common/type-guards.js'
import type { Outcome } from '../model/decision.js'
import { publishDecision } from '../observability/channels.js'
import type { RouteConfig } from '../observability/traffic/recorded-decision.js'
import type { DecisionCallback } from '../config/schema/functions.js'
import type { Policy } from '../policies/policy.js'
import type { Described } from '../response/described.js'
import { RefusalWriter } from '../response/refuse.js'
import { combineDecisions } from './combine.js'
import type { RequestDecision } from './decision.js'
import { hold } from './hold.js'
import type { LimiterContext, Next } from './limiter-context.js'
import { onClosed } from './on-closed.js'
import { onFinished } from './on-finished.js'
import { recordDecision } from './record-decision.js'

/** For the metrics of decisions without a request. */
const NO_ROUTE = {}

type CallbackName = 'onExceeding' | 'onExceeded' | 'onBlocked'

/** Acts on decisions: writes headers and continues the request, refuses it, or delays it. */
export class Responder {
  readonly #context: LimiterContext
  readonly #refusalWriter: RefusalWriter

  constructor (context: LimiterContext) {
    this.#context = context
    this.#refusalWriter = new RefusalWriter(context.faults, context.retryUnavailableSeconds, context.identifier.deadlineMs)
  }

  answer (decision: RequestDecision, reply: FastifyReply, next: Next): void {
    const { request } = reply
    const { recorder, identifier } = this.#context
    request.rateLimit = decision
    this.record(decision, request)
    if (recorder !== null && decision.previous === null) recordDecision({ recorder, identifier }, decision, reply)
    if (decision.policy.hasShadowLimits) this.#logShadowRefusals(decision, request)
    if (decision.hasSlot) releaseAtEnd(decision, reply)
    if (decision.outcome === 'allowed') this.#allow(decision, reply, next)
    else this.#applyOutcome(decision.outcome, decision, reply, next)
  }

  /** Count a decision and publish it on the diagnostics channel. */
  record (decision: RequestDecision, request: FastifyRequest): void {
    const { metrics, traffic, getRouteConfig, registration } = this.#context
    if (metrics !== null || traffic !== null) this.#count(getRouteConfig(request), decision)
    publishDecision(registration, request, decision.policy, decision)
  }

  /** Count and publish a decision without a request, and log its refusals. */
  recordWithoutRequest (decision: RequestDecision): void {
    const { registration, refusals } = this.#context
    this.#count(NO_ROUTE, decision)
    publishDecision(registration, null, decision.policy, decision)
    if (decision.policy.hasShadowLimits) this.#logShadowRefusals(decision, null)
    if (decision.isRefused) refusals?.logRefusal(null, decision.policy, decision)
  }

  #count (config: RouteConfig, decision: RequestDecision): void {
    const { metrics, traffic } = this.#context
    const { storeStandings } = decision
    if (metrics !== null) metrics.countDecision(config, decision, storeStandings)
    if (traffic !== null) traffic.record(config, decision, storeStandings)
  }

  #applyOutcome (outcome: Exclude<Outcome, 'allowed'>, decision: RequestDecision, reply: FastifyReply, next: Next): void {
    switch (outcome) {
      case 'delayed':
        this.#allowAfterDelay(decision, reply, next)
        return
      case 'rejected':
      case 'blocked':
        this.#refuse(decision, reply, next)
        return
      case 'unavailable':
        if (decision.isRefused) this.#refuseUnavailable(decision, reply, next)
        else next()
        return
      case 'exempt':
        next()
        return
      default: outcome satisfies never
    }
  }

  #allow (decision: RequestDecision, reply: FastifyReply, next: Next): void {
    const { policy } = decision
    this.#writeHeaders(decision, reply)
    if (policy.onExceeding !== null) this.#runCallback('onExceeding', policy.onExceeding, decision, reply.request)
    if (policy.refundOn !== null) refundOnFinish(policy.refundOn, decision, reply)
    if (policy.refundsUnsettled !== null) refundUnsettledOnFinish(policy.refundsUnsettled, decision, reply)
    next()
  }

  #allowAfterDelay (decision: RequestDecision, reply: FastifyReply, next: Next): void {
    hold(decision, reply,
      () => {
        this.#context.metrics?.observeDelay(decision.delayUs / 1_000_000)
        this.#allow(decision, reply, next)
      },
      () => { this.#refuseUnavailable(decision, reply, next) })
  }

  #refuse (decision: RequestDecision, reply: FastifyReply, next: Next): void {
    const { policy } = decision
    const { request } = reply
    const described = this.#writeHeaders(decision, reply)
    this.#context.refusals?.logRefusal(request, policy, decision)
    if (policy.onExceeded !== null) this.#runCallback('onExceeded', policy.onExceeded, decision, request)
    if (policy.onBlocked !== null && decision.beganBlock) this.#runCallback('onBlocked', policy.onBlocked, decision, request)
    const { refusingConcurrency, policy: { errorResponseBuilder } } = decision
    if (refusingConcurrency === null) this.#refusalWriter.refuse(reply, { decision, described, errorResponseBuilder }, next)
    else this.#refusalWriter.refuseForSlot(reply, { decision, described, errorResponseBuilder }, refusingConcurrency.limit.by, next)
  }

  /** Write the headers of all decisions of the request. Returns what the body of a refusal describes. */
  #writeHeaders (decision: RequestDecision, reply: FastifyReply): Described {
    if (decision.previous === null) {
      this.#context.writeHeaders(reply, decision.policy, decision)
      return decision
    }
    const { policy, all, last } = combineDecisions(decision)
    this.#context.writeHeaders(reply, policy, all)
    return last
  }

  #refuseUnavailable (decision: RequestDecision, reply: FastifyReply, next: Next): void {
    const { policy } = decision
    this.#context.refusals?.logRefusal(reply.request, policy, decision, this.#context.retryUnavailableSeconds * 1000)
    this.#refusalWriter.refuseUnavailable(reply, { decision, described: decision, errorResponseBuilder: policy.errorResponseBuilder }, next)
  }

  /** Log the refusals that limits in shadow mode would have caused. */
  #logShadowRefusals (decision: RequestDecision, request: FastifyRequest | null): void {
    const { refusals } = this.#context
    if (refusals === null) return
    for (const standing of decision.standings) {
      if (standing.mode === 'shadow' && standing.isExceeded) refusals.logShadowRefusal(request, decision.policy, decision, standing)
    }
  }

  /** If a callback throws, or its promise rejects, the error is logged and the request continues. */
  #runCallback (source: CallbackName, callback: DecisionCallback, decision: RequestDecision, request: FastifyRequest): void {
    const { faults } = this.#context
    try {
      const result: unknown = callback(request, decision)
      if (isThenable(result)) Promise.resolve(result).catch((error: unknown) => { faults.report(source, error) })
    } catch (error) {
      faults.report(source, error)
    }
  }
}

/** Give the slot back at the end of the response. A limit that follows latency has to know whether it was sent. */
function releaseAtEnd (decision: RequestDecision, reply: FastifyReply): void {
  const room = decision.policy.concurrency?.limit.room
  if (room == null) onClosed(reply, () => { decision.release() })
  else onFinished(reply, ({ isComplete, status }) => { decision.releaseAfter(isComplete && status < 500) })
}

/** Refund only responses that were sent completely: otherwise a client could abort to get the work for free. */
function refundOnFinish (statuses: NonNullable<Policy['refundOn']>, decision: RequestDecision, reply: FastifyReply): void {
  onFinished(reply, ({ isComplete, status }) => {
    if (isComplete && statuses.has(status)) decision.refundAll()
  })
}

/** The decision may still be settled later, by work that outlives the response: then it is charged what was used. */
function refundUnsettledOnFinish (names: NonNullable<Policy['refundsUnsettled']>, decision: RequestDecision, reply: FastifyReply): void {
  onFinished(reply, () => { decision.refundUnsettled(names) })
}
