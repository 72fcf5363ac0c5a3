import { Readable } from 'node:stream'
import { NO_FAULTS } from '../common/log.js'
import type { Client } from '../model/client.js'
import type { Policy } from '../policies/policy.js'
import type { Standing } from '../stores/store.js'
import type { Responder } from './answer.js'
import type { Decider } from './decide.js'
import { findStaticCost, findUnits, isFree, type Cost } from './cost.js'
import { findDecision, type RequestDecision } from './decision.js'
import type { DeferredRequest, EarlyResponse } from './deferred-request.js'
import { findSureStandings, InFlight, isExhausted } from './in-flight.js'
import type { LimiterContext, Next } from './limiter-context.js'
import { onFinished, type ResponseEnd } from './on-finished.js'

/*
 * Requests that the hook of a later phase limits. Until then they belong to their address: it is asked at `onRequest`, and
 * charged for a request that ends before the hook. So a malformed body, a 401 or a reset is never free.
 */

/** Asks for the requests that a later hook limits, and charges those that end before it. */
export class DeferredLimiter {
  readonly #context: LimiterContext
  readonly #decider: Decider
  readonly #responder: Responder
  readonly #inFlight = new InFlight()

  constructor (context: LimiterContext, decider: Decider, responder: Responder) {
    this.#context = context
    this.#decider = decider
    this.#responder = responder
  }

  /** Call `next`, or refuse if the address of the request is exhausted. Charges nothing yet. */
  defer (deferred: DeferredRequest, next: Next): void {
    const { request } = deferred.reply
    const { exemptions, identifier } = this.#context
    if (exemptions !== null && exemptions.hasAddress(identifier.getAddress(request))) {
      next()
      return
    }
    const asked = this.#ask(deferred, identifier.identifyByAddress(request))
    if (asked instanceof Promise) asked.then((settled) => { this.#proceed(deferred, settled, next) }, next)
    else this.#proceed(deferred, asked, next)
  }

  #ask ({ policy, reply }: DeferredRequest, client: Client): RequestDecision | null | Promise<RequestDecision> {
    return this.#decider.decideEarly(policy, reply.request, client, 0)
  }

  #proceed (deferred: DeferredRequest, asked: RequestDecision | null, next: Next): void {
    if (asked === null || !this.#isExhausted(asked)) this.#pass(deferred, asked, next)
    else this.#proceedExhausted(deferred, asked, next)
  }

  #proceedExhausted (deferred: DeferredRequest, asked: RequestDecision, next: Next): void {
    this.#decideExhausted(deferred, asked).then((decision) => {
      if (decision !== null && decision.isRefused) this.#responder.answer(decision, deferred.reply, next)
      else this.#pass(deferred, decision, next)
    }, next)
  }

  #isExhausted (asked: RequestDecision): boolean {
    if (asked.isRefused) return true
    const cost = findStaticCost(asked.policy)
    return asked.storeStandings.some((standing) => this.#isExhaustedBy(cost, asked, standing))
  }

  #isExhaustedBy (cost: Cost, { policy }: RequestDecision, standing: Standing): boolean {
    return isExhausted(standing, findUnits(cost, policy, standing.limit) + this.#inFlight.get(standing))
  }

  /** The address is exhausted, but the request may be exempt, or come from a user with units left. `null` if nothing limits it. */
  async #decideExhausted (deferred: DeferredRequest, asked: RequestDecision): Promise<RequestDecision | null> {
    const { exemptions, identifier } = this.#context
    const { request } = deferred.reply
    if (exemptions !== null && await exemptions.isExemptRequest(request, NO_FAULTS)) return null
    const user = await identifier.findUserEarly(request)
    if (user === null) return await this.#refuse(deferred, asked)
    const own = await this.#ask(deferred, user)
    return own !== null && this.#isExhausted(own) ? await this.#refuse(deferred, own) : own
  }

  async #refuse ({ policy, reply }: DeferredRequest, asked: RequestDecision): Promise<RequestDecision | null> {
    const cost = findStaticCost(asked.policy)
    const isUsedUp = asked.storeStandings.some((standing) => isExhausted(standing, findUnits(cost, asked.policy, standing.limit)))
    // Without a receipt the decision stays as it is.
    if (!isUsedUp) return asked.refuseBy((standing) => this.#isExhaustedBy(cost, asked, standing), IN_FLIGHT_RETRY_US)
    const decision = await this.#decider.decideEarly(policy, reply.request, asked.client, cost)
    if (decision === null || decision.isRefused) return decision
    // Units have become free in the meantime.
    await decision.refundAll()
    return asked
  }

  /** Continue, and charge the request if it ends before its hook. */
  #pass (deferred: DeferredRequest, asked: RequestDecision | null, next: Next): void {
    if (asked !== null) this.#watch(deferred, asked)
    next()
  }

  #watch (deferred: DeferredRequest, asked: RequestDecision): void {
    const sure = findSureStandings(asked, this.#context.identifier.hasUsers)
    this.#inFlight.add(sure, asked.policy)
    deferred.watch({
      release: () => { this.#inFlight.remove(sure, asked.policy) },
      end: (response) => { this.#charge(deferred, asked, (decision) => { this.#answerEnd(deferred, decision, response) }) }
    })
    onFinished(deferred.reply, (end) => {
      if (deferred.hasEnded) return
      if (deferred.isReached || isRefunded(deferred.policy, end)) deferred.release()
      else this.#charge(deferred, asked, (decision, cost) => { this.#recordEnd(deferred, decision, cost) })
    })
  }

  /** Charge a request that ends before its hook. Synchronous if the store and the functions of the application are. */
  #charge (deferred: DeferredRequest, asked: RequestDecision, settle: Settle): void {
    const { policy, reply: { request } } = deferred
    const { exemptions } = this.#context
    // A guard may have applied the policy in an earlier phase.
    const isExempt = findDecision(request)?.hasUsedPolicy(policy) === true ||
      (exemptions !== null && exemptions.isExemptRequest(request, NO_FAULTS))
    if (isExempt === true) return settle(null, 0)
    // The limits of the client's tier may have costs of their own.
    const cost = this.#decider.resolveEarlyCost(asked.policy, request)
    const { client } = asked
    if (isExempt === false && !(cost instanceof Promise)) return this.#chargeCost(deferred, { client, cost }, settle)
    Promise.all([isExempt, cost]).then(([isExempt, cost]) => {
      this.#chargeCost(deferred, { client, cost: isExempt ? 0 : cost }, settle)
    }, () => { settle(null, 0) })
  }

  #chargeCost ({ policy, reply }: DeferredRequest, { client, cost }: { client: Client, cost: Cost }, settle: Settle): void {
    const decision = isFree(cost) ? null : this.#decider.decideEarly(policy, reply.request, client, cost)
    if (decision instanceof Promise) decision.then((settled) => { settle(settled, cost) }, () => { settle(null, 0) })
    else settle(decision, cost)
  }

  /** Refuse a request in place of its response, or let the response pass. */
  #answerEnd (deferred: DeferredRequest, decision: RequestDecision | null, { payload, pass }: EarlyResponse): void {
    const isRefused = decision !== null && decision.isRefused && !deferred.isReached
    if (!isRefused) this.#record(deferred, decision)
    deferred.release()
    if (!isRefused) return pass()
    // The response is not sent. A stream that is not read would stay open.
    if (payload instanceof Readable) payload.destroy()
    for (const name of ['content-length', 'content-encoding', 'transfer-encoding']) deferred.reply.removeHeader(name)
    this.#responder.answer(decision, deferred.reply, pass)
  }

  /** After the response was sent, it is too late for a refusal. The units become a debt. */
  #recordEnd (deferred: DeferredRequest, decision: RequestDecision | null, cost: Cost): void {
    if (decision?.isRefused && decision.storeStandings.length > 0 && !deferred.isReached) decision.chargeCost(cost)
    else this.#record(deferred, decision)
    // Until it is charged, the request counts as in flight.
    deferred.release()
  }

  #record (deferred: DeferredRequest, decision: RequestDecision | null): void {
    deferred.charged = decision
    // The hook ran while the charge was made, and charges the request itself.
    if (deferred.isReached) decision?.refundAll()
    else if (decision !== null) this.#responder.record(decision, deferred.reply.request)
  }
}

/** `cost`: of the request. `null` if nothing was charged. */
type Settle = (decision: RequestDecision | null, cost: Cost) => void

function isRefunded ({ refundOn }: Policy, { isComplete, status }: ResponseEnd): boolean {
  return isComplete && refundOn !== null && refundOn.has(status)
}

/** How long a client waits that was refused only for its requests in flight. Most of them are over by then. */
const IN_FLIGHT_RETRY_US = 1_000_000
