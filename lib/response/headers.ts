import type { FastifyReply } from 'fastify'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import type { Decision } from '../model/decision.js'
import { writeRateLimitDraft } from './ratelimit-draft.js'
import { writeXRateLimit } from './x-ratelimit.js'

/** The fields of a policy that the headers need. */
export interface HeaderPolicy {
  /** Whether a limit may refuse. If not, no headers are written. */
  readonly isEnforced: boolean
  /** The value of `RateLimit-Policy`; `null` if it depends on the request. */
  readonly policyField: string | null
}

/** Writes the rate-limit headers. Called for every counted response. */
export type HeaderWriter = (reply: FastifyReply, policy: HeaderPolicy, decision: Decision) => void

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
