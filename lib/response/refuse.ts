import type { FastifyReply } from 'fastify'
import type { FaultLog } from '../common/log.js'
import { TimeBudget } from '../common/time-budget.js'
import { isThenable } from '../common/type-guards.js'
import type { ErrorResponseBuilder } from '../config/schema/functions.js'
import type { Decision } from '../model/decision.js'
import type { Limit } from '../stores/store.js'
import type { Described } from './described.js'
import { formatReducedCapacity, formatRefusal, formatSlotRefusal, toRetryAfterSeconds } from './problem.js'
import { closeUnreadUpload } from './unread-upload.js'

type Next = (error: Error) => void

/** A refused request. */
interface Refusal {
  readonly decision: Decision
  /** The decision as the body describes it. */
  readonly described: Described
  readonly errorResponseBuilder: ErrorResponseBuilder | null
}

/** What differs between a 429 and a 503. */
interface RefusalResponse {
  readonly status: 429 | 503
  /** Seconds; `null` if waiting cannot help. */
  readonly retryAfter: number | null
  readonly problem: () => string
}

/** A response that a builder of the application is writing. */
interface PendingResponse {
  readonly response: RefusalResponse
  readonly reply: FastifyReply
  readonly next: Next
}

/** Writes refusals. */
export class RefusalWriter {
  readonly #faults: FaultLog
  readonly #retryUnavailableSeconds: number
  readonly #deadlineMs: number

  /** `retryUnavailableSeconds`: the `Retry-After` of a 503. `deadlineMs`: for a promise of the application's builder. */
  constructor (faults: FaultLog, retryUnavailableSeconds: number, deadlineMs: number) {
    this.#faults = faults
    this.#retryUnavailableSeconds = retryUnavailableSeconds
    this.#deadlineMs = deadlineMs
  }

  /**
   * Send a 429. If the application's builder returns an Error, it is passed to `next`, so that the application's error
   * handler writes the response. Any other response is sent here, and `next` is not called.
   */
  refuse (reply: FastifyReply, refusal: Refusal, next: Next): void {
    const { described } = refusal
    const retryAfter = toRetryAfterSeconds(described)
    this.#send({ status: 429, retryAfter, problem: () => formatRefusal(described, reply.request.id) }, reply, refusal, next)
  }

  /**
   * Refuse for a missing slot. A limit of all clients together answers 503: no client has exceeded anything. `next` as for
   * `refuse`.
   */
  refuseForSlot (reply: FastifyReply, refusal: Refusal, by: Limit['by'], next: Next): void {
    const { described } = refusal
    const retryAfter = toRetryAfterSeconds(described)
    const status = by === 'global' ? 503 : 429
    this.#send({ status, retryAfter, problem: () => formatSlotRefusal(described, status, reply.request.id) }, reply, refusal, next)
  }

  /** Send a 503: the store could not check the limits. `next` as for `refuse`. */
  refuseUnavailable (reply: FastifyReply, refusal: Refusal, next: Next): void {
    const retryAfter = this.#retryUnavailableSeconds
    this.#send({ status: 503, retryAfter, problem: () => formatReducedCapacity(retryAfter, reply.request.id) }, reply, refusal, next)
  }

  #send (response: RefusalResponse, reply: FastifyReply, { errorResponseBuilder, decision }: Refusal, next: Next): void {
    closeUnreadUpload(reply)
    // Not `reply.code`: a redirect by the builder would keep such a status in place of 302.
    reply.raw.statusCode = response.status
    // RFC 6585, section 4: a 429 must not be stored by a cache.
    reply.header('cache-control', 'no-store')
    if (response.retryAfter !== null) reply.header('retry-after', response.retryAfter)
    if (errorResponseBuilder === null) sendProblem(response, reply)
    else this.#sendByBuilder(errorResponseBuilder, decision, { response, reply, next })
  }

  #sendByBuilder (build: ErrorResponseBuilder, decision: Decision, pending: PendingResponse): void {
    const { reply } = pending
    // Afterwards, a type is one that the builder has set.
    reply.removeHeader('content-type')
    try {
      const body: unknown = build(reply.request, decision, reply)
      // A reply is thenable too: it settles when the response is over.
      if (body !== reply && isThenable(body)) this.#sendLater(body, pending)
      else sendBody(body, pending)
    } catch (error) {
      this.#fail(error, pending)
    }
  }

  async #sendLater (body: PromiseLike<unknown>, pending: PendingResponse): Promise<void> {
    const budget = new TimeBudget(this.#deadlineMs)
    try {
      sendBody(await budget.race(body, 'result from errorResponseBuilder'), pending)
    } catch (error) {
      // A promise of a reply that was sent settles when the client has read it, which may be late.
      if (!budget.hasExpired || !pending.reply.sent) this.#fail(error, pending)
    } finally {
      budget.stop()
    }
  }

  #fail (error: unknown, { response, reply }: PendingResponse): void {
    this.#faults.report('errorResponseBuilder', error)
    if (!reply.sent) sendProblem(response, reply)
  }
}

/** Send what the builder returned. Throws a TypeError if that is no body. */
function sendBody (body: unknown, { reply, next }: PendingResponse): void {
  if (reply.sent) return
  if (body instanceof Error) {
    // An error without a status would become a 500. Its own status takes precedence.
    reply.code('statusCode' in body && isErrorStatus(body.statusCode) ? body.statusCode : reply.statusCode)
    next(body)
    return
  }
  const { type, payload } = toPayload(body === reply ? undefined : body)
  if (!reply.hasHeader('content-type')) reply.type(type)
  reply.code(reply.statusCode).serializer(asIs).send(payload)
}

function toPayload (body: unknown): { readonly type: string, readonly payload: string | Uint8Array } {
  if (typeof body === 'string') return { type: 'text/plain; charset=utf-8', payload: body }
  if (body instanceof Uint8Array) return { type: 'application/octet-stream', payload: body }
  const payload: string | undefined = typeof body === 'object' && body !== null ? JSON.stringify(body) : undefined
  if (payload === undefined) throw new TypeError(`expected an object, text, a Buffer or an Error, got ${typeof body}`)
  return { type: 'application/json; charset=utf-8', payload }
}

function sendProblem ({ status, problem }: RefusalResponse, reply: FastifyReply): void {
  reply.code(status).serializer(asIs).header('content-type', 'application/problem+json; charset=utf-8').send(problem())
}

/** Replaces a serializer that a hook chose for this reply: it would serialize the finished string again. */
export function asIs (body: unknown): string {
  return String(body)
}

function isErrorStatus (status: unknown): status is number {
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599
}
