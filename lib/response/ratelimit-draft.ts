import type { FastifyReply } from 'fastify'
import type { Decision } from '../policies/decision.js'
import type { Policy } from '../policies/policy.js'
import type { LimitStanding } from '../policies/standing.js'
import { policyField, type QuotaPolicy } from './policy-field.js'

/** `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-11, every enforced limit listed. */
export function writeRateLimitDraft (reply: FastifyReply, policy: Policy, decision: Decision): void {
  reply.header('ratelimit-policy', policy.policyField ?? policyField(decision.standings.map(quotaOf)))
  reply.header('ratelimit', decision.standings
    .filter((standing) => standing.mode === 'enforce')
    .map(serviceLimit)
    .join(', '))
}

function quotaOf ({ name, max, windowMs, mode }: LimitStanding): QuotaPolicy {
  return { name, max, windowUs: windowMs * 1000, mode }
}

/** `t` says when to come back: refused, once the wait is over; else when nothing is used any more. */
function serviceLimit ({ name, isExceeded, remaining, resetAfterMs, retryAfterMs }: LimitStanding): string {
  const waitMs = isExceeded ? retryAfterMs : resetAfterMs
  const time = waitMs === 'never' ? '' : `;t=${Math.ceil(waitMs / 1000)}`
  return `"${name}";r=${remaining}${time}`
}
