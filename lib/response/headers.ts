import type { FastifyReply } from 'fastify'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import type { Described, HeaderPolicy } from './described.js'
import { writeRateLimitDraft } from './ratelimit-draft.js'
import { writeXRateLimit } from './x-ratelimit.js'

/** Writes the rate-limit headers. Called for every counted response. */
export type HeaderWriter = (reply: FastifyReply, policy: HeaderPolicy, decision: Described) => void

/** Create the writer of a dialect. It writes nothing for a policy whose limits are all in shadow mode. */
export function createHeaderWriter (dialect: NonNullable<RateLimitOptions['headers']>): HeaderWriter {
  switch (dialect) {
    case 'x-ratelimit': return (reply, policy, decision) => {
      if (policy.isEnforced) writeXRateLimit(reply, decision)
    }
    case 'ratelimit': return (reply, policy, decision) => {
      if (policy.isEnforced) writeRateLimitDraft(reply, policy, decision)
    }
    case 'both': return (reply, policy, decision) => {
      if (!policy.isEnforced) return
      writeXRateLimit(reply, decision)
      writeRateLimitDraft(reply, policy, decision)
    }
    case 'off': return () => {}
    default: return dialect satisfies never
  }
}
