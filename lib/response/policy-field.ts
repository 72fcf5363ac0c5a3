import type { Limit } from '../stores/store.js'

/** What the field tells of a limit. */
export type QuotaPolicy = Pick<Limit, 'name' | 'max' | 'windowUs' | 'mode'>

/**
 * The value of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11, section 3): a structured-field list
 * of the enforced limits, `"burst";q=20;w=1, "hourly";q=5000;w=3600`.
 */
export function policyField (limits: readonly QuotaPolicy[]): string {
  return limits
    .filter((limit) => limit.mode === 'enforce')
    .map((limit) => `"${limit.name}";q=${limit.max}${windowParameter(limit)}`)
    .join(', ')
}

/** `w` is whole seconds and optional; a window that is not must not be rounded into another rate. */
function windowParameter (limit: QuotaPolicy): string {
  return limit.windowUs % 1_000_000 === 0 ? `;w=${limit.windowUs / 1_000_000}` : ''
}
