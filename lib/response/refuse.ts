import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FaultLog } from '../observability/fault-log.js'
import type { Decision } from '../policies/decision.js'
import type { Policy } from '../policies/policy.js'
import { reducedCapacity, refusal, retryAfterSeconds } from './problem.js'

/**
 * Answer 429. An Error of the application's own making goes to `next`, so that its error handler writes the answer;
 * anything else is sent here, and `next` is not called.
 */
export function refuse (request: FastifyRequest, reply: FastifyReply, policy: Policy, decision: Decision, faults: FaultLog, next: (error: Error) => void): void {
  send(request, reply, policy, decision, faults, next, {
    status: 429, retryAfter: retryAfterSeconds(decision), problem: () => refusal(decision, request.id)
  })
}

/** Answer 503 because nobody can say whether the request is within its limits. `next` as for `refuse`. */
export function refuseUnavailable (request: FastifyRequest, reply: FastifyReply, policy: Policy, decision: Decision, retryAfter: number, faults: FaultLog, next: (error: Error) => void): void {
  send(request, reply, policy, decision, faults, next, {
    status: 503, retryAfter, problem: () => reducedCapacity(retryAfter, request.id)
  })
}

/** What differs between the answers. */
interface Answer {
  readonly status: 429 | 503
  /** Seconds; `null` where no wait helps. */
  readonly retryAfter: number | null
  readonly problem: () => string
}

function send (request: FastifyRequest, reply: FastifyReply, policy: Policy, decision: Decision, faults: FaultLog, next: (error: Error) => void, answer: Answer): void {
  reply.code(answer.status)
  // RFC 6585, section 4: a 429 must not be stored by a cache.
  reply.header('cache-control', 'no-store')
  if (answer.retryAfter !== null) reply.header('retry-after', answer.retryAfter)
  const own = policy.errorResponseBuilder === null ? null : ownBody(request, policy.errorResponseBuilder, decision, faults)
  if (own instanceof Error) {
    // Its own status counts; without one it would become a 500.
    if ('statusCode' in own && isErrorStatus(own.statusCode)) reply.code(own.statusCode)
    next(own)
  } else if (own !== null) {
    reply.serializer(asIs).header('content-type', 'application/json; charset=utf-8').send(own)
  } else {
    reply.serializer(asIs).header('content-type', 'application/problem+json; charset=utf-8').send(answer.problem())
  }
}

/** A serializer that a hook chose for this reply would serialize the finished string once more. */
export function asIs (body: unknown): string {
  return String(body)
}

/** What the application's builder made: an Error, a body as JSON text, or `null` where it failed. */
function ownBody (request: FastifyRequest, build: NonNullable<Policy['errorResponseBuilder']>, decision: Decision, faults: FaultLog): Error | string | null {
  try {
    const body: unknown = build(request, decision)
    if (body instanceof Error) return body
    if (body instanceof Promise) {
      body.catch(() => {})
    } else if (typeof body === 'object' && body !== null) {
      const text: string | undefined = JSON.stringify(body)
      if (text !== undefined) return text
    }
    throw new TypeError(`expected an object or an Error, got ${body instanceof Promise ? 'a promise' : typeof body}`)
  } catch (error) {
    faults.report('errorResponseBuilder', error)
    return null
  }
}

function isErrorStatus (status: unknown): status is number {
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599
}
