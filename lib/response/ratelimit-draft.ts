import type { FastifyReply } from 'fastify'
import type { Policy } from '../policies/policy.js'
import type { Receipt, Standing } from '../stores/store.js'

/** `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-11, every enforced limit listed. */
export function writeRateLimitDraft (reply: FastifyReply, policy: Policy, receipt: Receipt): void {
  reply.header('ratelimit-policy', policy.policyField)
  reply.header('ratelimit', receipt.standings
    .filter((standing) => standing.limit.mode === 'enforce')
    .map(serviceLimit)
    .join(', '))
}

/** `t` says when to come back: refused, once the wait is over; else when nothing is used any more. */
function serviceLimit ({ limit, granted, remaining, resetUs, retryUs }: Standing): string {
  const waitUs = granted ? resetUs : retryUs
  const time = waitUs === 'never' ? '' : `;t=${Math.ceil(waitUs / 1_000_000)}`
  return `"${limit.name}";r=${remaining}${time}`
}
