import type { FastifyReply } from 'fastify'
import type { Decision, LimitStanding } from '../model/decision.js'
import type { Limit } from '../stores/store.js'

/** `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-11, every enforced limit listed. */
export function writeRateLimitDraft (reply: FastifyReply, { policyField }: { readonly policyField: string | null }, decision: Decision): void {
  reply.header('ratelimit-policy', policyField ?? formatPolicyField(decision.standings.map(toQuotaPolicy)))
  reply.header('ratelimit', decision.standings
    .filter((standing) => standing.mode === 'enforce')
    .map(formatServiceLimit)
    .join(', '))
}

function toQuotaPolicy ({ name, max, windowMs, mode }: LimitStanding): QuotaPolicy {
  return { name, max, windowUs: windowMs * 1000, mode }
}

/** `t` says when to come back: refused, once the wait is over; else when nothing is used any more. */
function formatServiceLimit ({ name, isExceeded, remaining, resetAfterMs, retryAfterMs }: LimitStanding): string {
  const waitMs = isExceeded ? retryAfterMs : resetAfterMs
  const time = waitMs === 'never' ? '' : `;t=${Math.ceil(waitMs / 1000)}`
  return `"${name}";r=${remaining}${time}`
}

/** What the field tells of a limit. */
export type QuotaPolicy = Pick<Limit, 'name' | 'max' | 'windowUs' | 'mode'>

/**
 * The value of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11, section 3): a structured-field list
 * of the enforced limits, `"burst";q=20;w=1, "hourly";q=5000;w=3600`.
 */
export function formatPolicyField (limits: readonly QuotaPolicy[]): string {
  return limits
    .filter((limit) => limit.mode === 'enforce')
    .map((limit) => `"${limit.name}";q=${limit.max}${windowParameter(limit)}`)
    .join(', ')
}

/** `w` is whole seconds and optional; a window that is not must not be rounded into another rate. */
function windowParameter (limit: QuotaPolicy): string {
  return limit.windowUs % 1_000_000 === 0 ? `;w=${limit.windowUs / 1_000_000}` : ''
}
