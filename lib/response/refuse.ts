import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FaultLog } from '../common/log.js'
import type { Decision } from '../model/decision.js'
import type { Described } from './described.js'
import { formatReducedCapacity, formatRefusal, toRetryAfterSeconds } from './problem.js'

type Next = (error: Error) => void

/** A refused request. */
interface Refusal {
  readonly decision: Decision
  /** The decision as the body describes it. */
  readonly described: Described
  readonly errorResponseBuilder: ((request: FastifyRequest, decision: Decision) => object | Error) | null
}

/** What differs between a 429 and a 503. */
interface RefusalResponse {
  readonly status: 429 | 503
  /** Seconds; `null` if waiting cannot help. */
  readonly retryAfter: number | null
  readonly problem: () => string
}

/** Writes refusals. */
export class RefusalWriter {
  readonly #faults: FaultLog
  readonly #retryUnavailableSeconds: number

  /** `retryUnavailableSeconds`: the `Retry-After` of a 503. */
  constructor (faults: FaultLog, retryUnavailableSeconds: number) {
    this.#faults = faults
    this.#retryUnavailableSeconds = retryUnavailableSeconds
  }

  /**
   * Send a 429. If the application's builder returns an Error, it is passed to `next`, so that the application's error
   * handler writes the response. Any other response is sent here, and `next` is not called.
   */
  refuse (reply: FastifyReply, refusal: Refusal, next: Next): void {
    const { described } = refusal
    const retryAfter = toRetryAfterSeconds(described)
    const response = { status: 429, retryAfter, problem: () => formatRefusal(described, reply.request.id) } as const
    this.#send(response, reply, this.#buildBody(refusal, reply), next)
  }

  /** Send a 503: the store could not check the limits. `next` as for `refuse`. */
  refuseUnavailable (reply: FastifyReply, refusal: Refusal, next: Next): void {
    const retryAfter = this.#retryUnavailableSeconds
    const response = { status: 503, retryAfter, problem: () => formatReducedCapacity(retryAfter, reply.request.id) } as const
    this.#send(response, reply, this.#buildBody(refusal, reply), next)
  }

  #send (response: RefusalResponse, reply: FastifyReply, body: Error | string | null, next: Next): void {
    reply.code(response.status)
    // RFC 6585, section 4: a 429 must not be stored by a cache.
    reply.header('cache-control', 'no-store')
    if (response.retryAfter !== null) reply.header('retry-after', response.retryAfter)
    if (body instanceof Error) {
      // An error without a status would become a 500. Its own status takes precedence.
      if ('statusCode' in body && isErrorStatus(body.statusCode)) reply.code(body.statusCode)
      next(body)
    } else if (body !== null) {
      reply.serializer(asIs).header('content-type', 'application/json; charset=utf-8').send(body)
    } else {
      reply.serializer(asIs).header('content-type', 'application/problem+json; charset=utf-8').send(response.problem())
    }
  }

  /** The result of the application's builder: an Error or a body as JSON text; `null` without a builder or if it fails. */
  #buildBody ({ errorResponseBuilder, decision }: Refusal, { request }: FastifyReply): Error | string | null {
    if (errorResponseBuilder === null) return null
    try {
      const body: unknown = errorResponseBuilder(request, decision)
      if (body instanceof Error) return body
      if (body instanceof Promise) {
        body.catch(() => {})
      } else if (typeof body === 'object' && body !== null) {
        const text: string | undefined = JSON.stringify(body)
        if (text !== undefined) return text
      }
      throw new TypeError(`expected an object or an Error, got ${body instanceof Promise ? 'a promise' : typeof body}`)
    } catch (error) {
      this.#faults.report('errorResponseBuilder', error)
      return null
    }
  }
}

/** Replaces a serializer that a hook chose for this reply: it would serialize the finished string again. */
export function asIs (body: unknown): string {
  return String(body)
}

function isErrorStatus (status: unknown): status is number {
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599
}
