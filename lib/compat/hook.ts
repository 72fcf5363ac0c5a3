import { format } from '@lukeed/ms'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isThenable } from '../common/type-guards.js'
import { closeUnreadUpload } from '../response/unread-upload.js'
import type { CompatFaults, ObserverName } from './faults.js'
import { writeHeaders } from './headers.js'
import type { Limiter } from './limiter.js'
import type { errorResponseBuilderContext, RateLimitOptions } from './options.js'

/** A hook that limits requests. */
export type LimitHook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** Remembers which limiters have counted a request: with several hooks, each limiter counts it once. */
export class OncePerRequest {
  readonly #names = new WeakMap<FastifyRequest, Set<string>>()

  isFirst (request: FastifyRequest, name: string): boolean {
    const names = this.#names.get(request)
    if (names === undefined) this.#names.set(request, new Set([name]))
    else if (names.has(name)) return false
    else names.add(name)
    return true
  }
}

/** Creates the hook of a limiter. It throws the refusal, so that the application's error handler receives it. */
export function createHook (limiter: Limiter, oncePerRequest: OncePerRequest, faults: CompatFaults): LimitHook {
  const { settings } = limiter
  return async function rateLimit (request, reply) {
    if (!oncePerRequest.isFirst(request, limiter.name)) return
    const { answer, isCounted, hasStartedBan } = await limiter.assess(request).catch((error) => {
      closeUnreadUpload(reply)
      throw error
    })
    if (answer.isAllowed || !isCounted) return
    const { key, max, remaining, ttl, ttlInSeconds, isExceeded, isBanned } = answer
    if (!isExceeded) {
      writeHeaders(reply, settings.headers.allowed, max, remaining, ttlInSeconds)
      runObserver('onExceeding', settings.onExceeding, request, key, faults)
      return
    }
    runObserver('onExceeded', settings.onExceeded, request, key, faults)
    writeHeaders(reply, settings.headers.refused, max, 0, ttlInSeconds)
    closeUnreadUpload(reply)
    if (hasStartedBan) runObserver('onBanReach', settings.onBanReach, request, key, faults)
    throw await buildRefusal(request, reply, settings.errorResponseBuilder, {
      statusCode: isBanned ? 403 : 429, ban: isBanned, max, ttl, after: format(ttlInSeconds * 1000, true)
    })
  }
}

/**
 * Calls a callback without awaiting it. A synchronous error becomes the request's error, as in the original. A rejection is
 * logged: unhandled, it would end the process.
 */
function runObserver (
  name: ObserverName, observer: RateLimitOptions[ObserverName], request: FastifyRequest, key: string, faults: CompatFaults
): void {
  const result: unknown = observer?.(request, key)
  if (isThenable(result)) result.then(undefined, (error) => faults.report(name, error))
}

async function buildRefusal (
  request: FastifyRequest,
  reply: FastifyReply,
  build: RateLimitOptions['errorResponseBuilder'],
  context: errorResponseBuilderContext
): Promise<unknown> {
  const { statusCode, after } = context
  if (build === undefined) return Object.assign(new Error(`Rate limit exceeded, retry in ${after}`), { statusCode })
  const refusal: unknown = await build(request, context)
  // Fastify would send an error without a status as a 500.
  if (!hasStatus(refusal)) reply.code(statusCode)
  return refusal
}

function hasStatus (refusal: unknown): boolean {
  if (typeof refusal !== 'object' || refusal === null) return false
  const status: unknown = 'statusCode' in refusal ? refusal.statusCode : 'status' in refusal ? refusal.status : undefined
  return typeof status === 'number' && status >= 400
}
