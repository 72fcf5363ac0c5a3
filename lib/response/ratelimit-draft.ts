import type { FastifyReply } from 'fastify'
import type { LimitStanding } from '../model/decision.js'
import type { Limit } from '../stores/store.js'
import type { Described } from './described.js'

/** Write `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-11. They list every enforced limit. */
export function writeRateLimitDraft (
  reply: FastifyReply, { policyField }: { readonly policyField: string | null }, decision: Described
): void {
  // A slot has no window: the fields describe limits by rate.
  const standings = decision.standings.filter(({ kind }) => kind === undefined)
  reply.header('ratelimit-policy', policyField ?? formatPolicyField(standings.map(toQuotaPolicy)))
  reply.header('ratelimit', standings
    .filter((standing) => standing.mode === 'enforce')
    .map(formatServiceLimit)
    .join(', '))
}

function toQuotaPolicy ({ name, max, windowMs, mode }: LimitStanding): QuotaPolicy {
  return { name, max, windowUs: windowMs * 1000, mode }
}

/** `t` is the wait after a refusal, otherwise the time until the full limit is available again. */
function formatServiceLimit ({ name, isExceeded, remaining, resetAfterMs, retryAfterMs }: LimitStanding): string {
  const waitMs = isExceeded ? retryAfterMs : resetAfterMs
  const time = waitMs === 'never' ? '' : `;t=${Math.ceil(waitMs / 1000)}`
  return `"${name}";r=${remaining}${time}`
}

/** The parts of a limit that the field contains. */
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

/** `w` is optional and in whole seconds. Omit it for other windows: a rounded window would state another rate. */
function windowParameter (limit: QuotaPolicy): string {
  return limit.windowUs % 1_000_000 === 0 ? `;w=${limit.windowUs / 1_000_000}` : ''
}
