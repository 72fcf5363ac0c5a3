import type { FastifyReply } from 'fastify'
import type { RateLimitOptions } from '../config/schema.js'
import type { Decision } from '../policies/decision.js'
import type { Policy } from '../policies/policy.js'
import { writeRateLimitDraft } from './ratelimit-draft.js'
import { writeXRateLimit } from './x-ratelimit.js'

/** Tells a client where it stands. Called for every counted response. */
export type HeaderWriter = (reply: FastifyReply, policy: Policy, decision: Decision) => void

/** The writer of a dialect. A policy that only tries limits in shadow mode writes nothing. */
export function headerWriter (dialect: NonNullable<RateLimitOptions['headers']>): HeaderWriter {
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
