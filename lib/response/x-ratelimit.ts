import type { FastifyReply } from 'fastify'
import type { Described } from './described.js'

/** Write the common `X-RateLimit-*` headers. Reset is in seconds from now, rounded up. */
export function writeXRateLimit (reply: FastifyReply, decision: Described): void {
  reply.header('x-ratelimit-limit', decision.limit)
  reply.header('x-ratelimit-remaining', decision.remaining)
  reply.header('x-ratelimit-reset', Math.ceil(decision.resetAfterMs / 1000))
}
