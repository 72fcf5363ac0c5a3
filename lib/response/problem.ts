import { formatDuration } from '../common/format-duration.js'
import type { LimitStanding } from '../model/decision.js'
import type { Described } from './described.js'

/** Problem types that the draft asks IANA to register (draft-ietf-httpapi-ratelimit-headers-11, section 6). */
const QUOTA_EXCEEDED = 'https://iana.org/assignments/http-problem-types#quota-exceeded'
const ABNORMAL_USAGE = 'https://iana.org/assignments/http-problem-types#abnormal-usage-detected'
const REDUCED_CAPACITY = 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity'

/** The value of `Retry-After` in seconds (RFC 9110, 10.2.3); `null` if waiting cannot help. */
export function toRetryAfterSeconds (decision: Described): number | null {
  if (decision.retryAfterMs === 'never') return null
  // At least 1, and rounded up: after 0 s the client would return before the token is due.
  return Math.max(1, Math.ceil(decision.retryAfterMs / 1000))
}

/** The body of a refusal (RFC 9457) as a finished string: a route's response schema would change an object. */
export function formatRefusal (decision: Described, requestId: string): string {
  const retryAfter = toRetryAfterSeconds(decision)
  const isBlocked = decision.outcome === 'blocked'
  return JSON.stringify({
    type: isBlocked ? ABNORMAL_USAGE : QUOTA_EXCEEDED,
    title: isBlocked ? 'Abnormal Usage Detected' : 'Quota Exceeded',
    status: 429,
    detail: isBlocked ? formatBlockDetail(retryAfter) : formatDetail(decision, retryAfter),
    instance: requestId,
    'violated-policies': decision.standings.filter(isViolated).map((standing) => standing.name),
    limit: decision.limit,
    remaining: decision.remaining,
    ...(retryAfter === null ? {} : { retryAfter })
  })
}

/** The body of a refusal for a missing slot. `status` is 503 for a limit of all clients together. */
export function formatSlotRefusal (decision: Described, status: 429 | 503, requestId: string): string {
  const retryAfter = toRetryAfterSeconds(decision)
  const standing = decision.standings.find(({ kind }) => kind === 'concurrency')
  const { max, remaining } = standing ?? { max: 0, remaining: 0 }
  const isGlobal = status === 503
  const who = isGlobal ? 'the service serves' : 'you may send'
  return JSON.stringify({
    type: isGlobal ? REDUCED_CAPACITY : QUOTA_EXCEEDED,
    title: isGlobal ? 'Temporary Reduced Capacity' : 'Quota Exceeded',
    status,
    detail: `Too many requests are in flight: ${who} at most ${max} at once here. ` +
      `Retry in ${formatDuration((retryAfter ?? 1) * 1000)}, or when an earlier request has been answered.`,
    instance: requestId,
    'violated-policies': decision.standings.filter(isViolated).map(({ name }) => name),
    limit: max,
    remaining,
    ...(retryAfter === null ? {} : { retryAfter })
  })
}

/** The body of a 503: the limits cannot be checked. The store's error message is never sent to a client. */
export function formatReducedCapacity (retryAfter: number, requestId: string): string {
  return JSON.stringify({
    type: REDUCED_CAPACITY,
    title: 'Temporary Reduced Capacity',
    status: 503,
    detail: `Rate limits cannot be checked at present. Retry in ${formatDuration(retryAfter * 1000)}.`,
    instance: requestId,
    'violated-policies': [],
    retryAfter
  })
}

/** The body of a 400. `reason`: the expected and the actual value. */
export function formatBadRequest (reason: string, requestId: string): string {
  return JSON.stringify({ type: 'about:blank', title: 'Bad Request', status: 400, detail: reason, instance: requestId })
}

function isViolated (standing: LimitStanding): boolean {
  return standing.isExceeded && standing.mode === 'enforce'
}

function formatBlockDetail (retryAfter: number | null): string {
  const reason = 'Too many requests were sent after earlier requests had been refused.'
  if (retryAfter === null) return reason
  return `${reason} Retry in ${formatDuration(retryAfter * 1000)}. After each refusal, wait for the time in \`retryAfter\`.`
}

function formatDetail (decision: Described, retryAfter: number | null): string {
  const standing = decision.standings.find(({ name }) => name === decision.limitName)
  const quota = standing === undefined ? '' : ` of ${standing.max} per ${standing.period ?? formatDuration(standing.windowMs)}`
  const name = `Limit '${decision.limitName}'${quota}`
  if (retryAfter !== null) return `${name} exceeded. Retry in ${formatDuration(retryAfter * 1000)}.`
  if (decision.limit === 0) return `${name} exceeded. No requests are accepted here at present. Waiting does not help.`
  return `${name} exceeded. This request costs more than the ${decision.limit} units allowed at once. ` +
    'Waiting does not help; send a smaller request.'
}
