import type { FastifyReply, FastifyRequest } from 'fastify'
import { NO_FAULTS } from '../common/log.js'
import type { Client } from '../model/client.js'
import type { Policy } from '../policies/policy.js'
import type { LaterHook } from '../policies/route-table.js'
import type { Responder } from './answer.js'
import type { Decider } from './decide.js'
import { findDecision, type RequestDecision } from './decision.js'
import { findSureStandings, InFlight, isExhausted } from './in-flight.js'
import type { LimiterContext, Next } from './limiter-context.js'
import { onFinished, type ResponseEnd } from './on-finished.js'

/*
 * Requests that the hook of a later phase limits. Until then they belong to their address: it is asked at `onRequest`, and
 * charged for a request that ends before the hook. So a malformed body, a 401 or a reset is never free.
 */

/** Limits a request in the hook of its policy. */
interface Limiter {
  limit (policy: Policy, request: FastifyRequest, reply: FastifyReply, next: Next): void
}

/** A request that a later hook limits. */
export class DeferredRequest {
  /** Selected once: validation may change what the selection reads, and `callNotFound` the route. */
  readonly policy: Policy
  readonly place: LaterHook
  readonly reply: FastifyReply
  /** The charge of a request that ended before its hook. */
  charged: RequestDecision | null = null
  readonly #limiter: Limiter
  #isReached = false
  #release: (() => void) | null = null

  constructor (policy: Policy, place: LaterHook, reply: FastifyReply, limiter: Limiter) {
    this.policy = policy
    this.place = place
    this.reply = reply
    this.#limiter = limiter
    reply.request[kDeferred] = this
  }

  /** Whether the hook has run. */
  get isReached (): boolean {
    return this.#isReached
  }

  /** Limit the request in its hook. A phase may have several copies of the hook; the first one limits. */
  limit (next: Next): void {
    if (this.#isReached) {
      next()
      return
    }
    this.#isReached = true
    this.release()
    // Fastify may continue after the client has left.
    if (this.charged !== null) this.charged.refundAll()
    this.#limiter.limit(this.policy, this.reply.request, this.reply, next)
  }

  /** `release` is called once, when the hook is reached or the request ends. */
  onRelease (release: () => void): void {
    this.#release = release
  }

  release (): void {
    this.#release?.()
    this.#release = null
  }
}

const kDeferred = Symbol('fastify-sluice.deferred')

/** `null` for a request that no later hook limits. */
export function findDeferred (request: FastifyRequest): DeferredRequest | null {
  return request[kDeferred] ?? null
}

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
    const units = this.#decider.findStaticCost(asked.policy)
    return asked.storeStandings.some((standing) => isExhausted(standing, units + this.#inFlight.get(standing)))
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
    if (asked.outcome === 'unavailable') return asked
    const units = this.#decider.findStaticCost(asked.policy)
    const isUsedUp = asked.storeStandings.some((standing) => isExhausted(standing, units))
    if (!isUsedUp) return asked.refuseBy((standing) => isExhausted(standing, units + this.#inFlight.get(standing)), IN_FLIGHT_RETRY_US)
    const decision = await this.#decider.decideEarly(policy, reply.request, asked.client, units)
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
    const units = this.#decider.findStaticCost(asked.policy)
    this.#inFlight.add(sure, units)
    deferred.onRelease(() => { this.#inFlight.add(sure, -units) })
    onFinished(deferred.reply, (end) => {
      const charging = deferred.isReached ? null : this.#chargeEnded(deferred, asked.client, end)
      // Until it is charged, the request counts as in flight.
      if (charging instanceof Promise) charging.then(() => { deferred.release() }, () => { deferred.release() })
      else deferred.release()
    })
  }

  /** Synchronous if the store and the functions of the application are. */
  #chargeEnded (deferred: DeferredRequest, client: Client, { isComplete, status }: ResponseEnd): void | Promise<void> {
    const { policy, reply: { request } } = deferred
    const { exemptions } = this.#context
    if (isComplete && policy.refundOn !== null && policy.refundOn.has(status)) return
    // A guard may have applied the policy in an earlier phase.
    if (findDecision(request)?.hasUsedPolicy(policy) === true) return
    const isExempt = exemptions !== null && exemptions.isExemptRequest(request, NO_FAULTS)
    if (isExempt === true) return
    const cost = this.#decider.computeEarlyCost(policy, request)
    return isExempt === false && typeof cost === 'number'
      ? this.#chargeCost(deferred, client, cost)
      : this.#chargeCostLater(deferred, client, isExempt, cost)
  }

  async #chargeCostLater (
    deferred: DeferredRequest, client: Client, isExempt: boolean | Promise<boolean>, cost: number | Promise<number>
  ): Promise<void> {
    if (!await isExempt) await this.#chargeCost(deferred, client, await cost)
  }

  #chargeCost (deferred: DeferredRequest, client: Client, cost: number): void | Promise<void> {
    if (cost === 0) return
    const decision = this.#decider.decideEarly(deferred.policy, deferred.reply.request, client, cost)
    if (decision instanceof Promise) return decision.then((settled) => { this.#record(deferred, settled, cost) })
    this.#record(deferred, decision, cost)
  }

  #record (deferred: DeferredRequest, decision: RequestDecision | null, cost: number): void {
    if (decision === null) return
    deferred.charged = decision
    // The hook ran while the charge was made, and charges the request itself.
    if (deferred.isReached) decision.refundAll()
    // Too late for a refusal: the response was sent. The units become a debt.
    else if (decision.isRefused && decision.storeStandings.length > 0) decision.charge(cost)
    else this.#responder.record(decision, deferred.reply.request)
  }
}

/** How long a client waits that was refused only for its requests in flight. Most of them are over by then. */
const IN_FLIGHT_RETRY_US = 1_000_000

declare module 'fastify' {
  interface FastifyRequest {
    [kDeferred]?: DeferredRequest
  }
}
