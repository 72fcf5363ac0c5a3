import type { FastifyReply } from 'fastify'
import { readWallClockMs } from '../common/clock.js'
import type { ResolvedOptions } from '../config/schema/resolve-options.js'
import type { Described, HeaderPolicy } from './described.js'
import { writeRateLimitDraft } from './ratelimit-draft.js'
import { writeXRateLimit } from './x-ratelimit.js'

/** Writes the rate-limit headers. Called for every counted response. */
export type HeaderWriter = (reply: FastifyReply, policy: HeaderPolicy, decision: Described) => void

/** Create the writer of a dialect. It writes nothing for a policy whose limits are all in shadow mode. */
export function createHeaderWriter ({ headers, resetFormat }: Pick<ResolvedOptions, 'headers' | 'resetFormat'>): HeaderWriter {
  const isEpoch = resetFormat === 'epoch'
  switch (headers) {
    case 'x-ratelimit': return (reply, policy, decision) => {
      if (policy.isEnforced) writeXRateLimit(reply, decision, isEpoch ? readWallClockMs() : 0)
    }
    case 'ratelimit': return (reply, policy, decision) => {
      if (policy.isEnforced) writeRateLimitDraft(reply, policy, decision)
    }
    case 'both': return (reply, policy, decision) => {
      if (!policy.isEnforced) return
      writeXRateLimit(reply, decision, isEpoch ? readWallClockMs() : 0)
      writeRateLimitDraft(reply, policy, decision)
    }
    case 'off': return () => {}
    default: return headers satisfies never
  }
}
