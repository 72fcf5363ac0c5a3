import type { FastifyReply } from 'fastify'
import type { Described } from './described.js'

/** Write the common `X-RateLimit-*` headers. Reset is in seconds, rounded up, since the time `nowMs`: 0 for seconds from now. */
export function writeXRateLimit (reply: FastifyReply, decision: Described, nowMs: number): void {
  reply.header('x-ratelimit-limit', decision.limit)
  reply.header('x-ratelimit-remaining', decision.remaining)
  reply.header('x-ratelimit-reset', Math.ceil((nowMs + decision.resetAfterMs) / 1000))
}
