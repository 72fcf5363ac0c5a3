import type { FastifyReply } from 'fastify'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import type { Decision } from '../model/decision.js'
import { writeRateLimitDraft } from './ratelimit-draft.js'
import { writeXRateLimit } from './x-ratelimit.js'

/** What the headers need from a policy. */
export interface HeaderPolicy {
  /** Whether some limit may refuse: without one no headers are written. */
  readonly isEnforced: boolean
  /** The value of `RateLimit-Policy`; `null` where it depends on the request. */
  readonly policyField: string | null
}

/** Writes the rate-limit headers. Called for every counted response. */
export type HeaderWriter = (reply: FastifyReply, policy: HeaderPolicy, decision: Decision) => void

/** The writer of a dialect. A policy that only tries limits in shadow mode writes nothing. */
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
