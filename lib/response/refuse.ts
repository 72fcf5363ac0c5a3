import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FaultLog } from '../common/log.js'
import type { Decision } from '../model/decision.js'
import { formatReducedCapacity, formatRefusal, toRetryAfterSeconds } from './problem.js'

type Next = (error: Error) => void

/** What a refusal needs from a policy. */
interface RefusalPolicy {
  readonly errorResponseBuilder: ((request: FastifyRequest, decision: Decision) => object | Error) | null
}

/** What differs between the answers. */
interface RefusalResponse {
  readonly status: 429 | 503
  /** Seconds; `null` where no wait helps. */
  readonly retryAfter: number | null
  readonly problem: () => string
}

/** Writes refusals. */
export class RefusalWriter {
  readonly #faults: FaultLog
  readonly #retryUnavailableSeconds: number

  /** `retryUnavailableSeconds`: `Retry-After` of a 503. */
  constructor (faults: FaultLog, retryUnavailableSeconds: number) {
    this.#faults = faults
    this.#retryUnavailableSeconds = retryUnavailableSeconds
  }

  /**
   * Answer 429. An Error made by the application's builder goes to `next`, so that its error handler writes the answer;
   * anything else is sent here, and `next` is not called.
   */
  refuse (reply: FastifyReply, policy: RefusalPolicy, decision: Decision, next: Next): void {
    const response = { status: 429, retryAfter: toRetryAfterSeconds(decision), problem: () => formatRefusal(decision, reply.request.id) } as const
    this.#send(response, reply, this.#buildBody(policy, decision, reply), next)
  }

  /** Answer 503: the store cannot answer whether the request is within its limits. `next` as for `refuse`. */
  refuseUnavailable (reply: FastifyReply, policy: RefusalPolicy, decision: Decision, next: Next): void {
    const retryAfter = this.#retryUnavailableSeconds
    const response = { status: 503, retryAfter, problem: () => formatReducedCapacity(retryAfter, reply.request.id) } as const
    this.#send(response, reply, this.#buildBody(policy, decision, reply), next)
  }

  #send (response: RefusalResponse, reply: FastifyReply, body: Error | string | null, next: Next): void {
    reply.code(response.status)
    // RFC 6585, section 4: a 429 must not be stored by a cache.
    reply.header('cache-control', 'no-store')
    if (response.retryAfter !== null) reply.header('retry-after', response.retryAfter)
    if (body instanceof Error) {
      // Its own status counts; without one it would become a 500.
      if ('statusCode' in body && isErrorStatus(body.statusCode)) reply.code(body.statusCode)
      next(body)
    } else if (body !== null) {
      reply.serializer(asIs).header('content-type', 'application/json; charset=utf-8').send(body)
    } else {
      reply.serializer(asIs).header('content-type', 'application/problem+json; charset=utf-8').send(response.problem())
    }
  }

  /** What the application's builder made: an Error, a body as JSON text, or `null` without one and where it failed. */
  #buildBody ({ errorResponseBuilder }: RefusalPolicy, decision: Decision, { request }: FastifyReply): Error | string | null {
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

/** A serializer that a hook chose for this reply would serialize the finished string once more. */
export function asIs (body: unknown): string {
  return String(body)
}

function isErrorStatus (status: unknown): status is number {
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599
}
