import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Policy } from '../policies/policy.js'
import type { LaterHook } from '../policies/route-table.js'
import type { RequestDecision } from './decision.js'
import type { Next } from './limiter-context.js'

/** Limits a request in the hook of its policy. */
interface Limiter {
  limit (policy: Policy, request: FastifyRequest, reply: FastifyReply, next: Next): void
}

/** A response that is about to be sent before the hook. */
export interface EarlyResponse {
  readonly payload: unknown
  /** Not called if a refusal is sent in place of the response. */
  readonly pass: Next
}

/** Receives the end of a deferred request. */
interface Watcher {
  /** Called once, when the hook is reached or the request ends. */
  readonly release: () => void
  readonly end: (response: EarlyResponse) => void
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
  #watcher: Watcher | null = null
  #hasEnded = false

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

  /** Whether the request was charged before its response was sent. */
  get hasEnded (): boolean {
    return this.#hasEnded
  }

  watch (watcher: Watcher): void {
    this.#watcher = watcher
  }

  /**
   * Charge a request that ends before its hook, while a refusal can be sent in place of its response. Only then is it known
   * which of many requests at once belong to the address.
   */
  end (response: EarlyResponse): void {
    const { policy: { refundOn }, reply } = this
    // Whether the response is refunded depends on whether all of it is sent.
    if (this.#isReached || this.#hasEnded || this.#watcher === null || refundOn?.has(reply.statusCode)) {
      response.pass()
      return
    }
    this.#hasEnded = true
    this.#watcher.end(response)
  }

  release (): void {
    const watcher = this.#watcher
    this.#watcher = null
    watcher?.release()
  }
}

const kDeferred = Symbol('fastify-sluice.deferred')

/** `null` for a request that no later hook limits. */
export function findDeferred (request: FastifyRequest): DeferredRequest | null {
  return request[kDeferred] ?? null
}

declare module 'fastify' {
  interface FastifyRequest {
    [kDeferred]?: DeferredRequest
  }
}
