// What was found, in words: the counts, and for a violation the events around it.
import type { Counts } from './check/check.js'
import type { Violation } from './check/violation.js'
import type { Decision, Fault, History } from './history.js'

const MAX_EVENTS = 40
/** Events this long before and after a violation are shown. Microseconds. */
const AROUND_US = 100_000
/** Stalls of a busy machine explain these only. */
const OF_TIME: ReadonlySet<Violation['kind']> = new Set(['late answer', 'no answer', 'not enforced'])
/** What a fault excuses lasts for some time. Microseconds. */
const FAULTS_BEFORE_US = 3_000_000

export function formatCounts (counts: Counts): string {
  return `${counts.decisions} decisions (${counts.granted} granted, ${counts.refused} refused, ${counts.blocked} blocked, ` +
    `${counts.withoutStore} without the store, ${counts.unanswered} unanswered) in ${counts.buckets} buckets, under ${counts.faults} faults and stalls`
}

/** A violation, with the events of its client in the smallest time that shows it, and the faults before. */
export function formatViolation (violation: Violation, { header, decisions, faults }: History): string {
  const { kind, policy, client, fromUs, untilUs, what } = violation
  const isNear = (event: Decision | Fault, beforeUs: number) => event.untilUs >= fromUs - beforeUs && event.fromUs <= untilUs + AROUND_US
  const isOwn = (decision: Decision) => decision.policy === policy && (client === '*' || decision.client === client)
  const own = decisions.filter((decision) => isOwn(decision) && isNear(decision, AROUND_US) && (kind !== 'over-admission' || decision.status !== 429))
  const near = faults.filter((fault) => isNear(fault, FAULTS_BEFORE_US) && (fault.kind !== 'stall' || OF_TIME.has(kind)))
  const events = [
    ...own.map((decision) => ({ fromUs: decision.fromUs, text: formatDecision(decision) })),
    ...near.map((fault) => ({ fromUs: fault.fromUs, text: formatFault(fault) }))
  ].sort((a, b) => a.fromUs - b.fromUs).map(({ text }) => `  ${text}`)
  const shown = events.length <= MAX_EVENTS
    ? events
    : [...events.slice(0, MAX_EVENTS / 2), `  ... ${events.length - MAX_EVENTS} more ...`, ...events.slice(-MAX_EVENTS / 2)]
  return [`${kind}: policy ${header.policies[policy].name}, client ${client}, ${formatTime(fromUs)} to ${formatTime(untilUs)}: ${what}`, ...shown].join('\n')
}

function formatDecision ({ fromUs, untilUs, instance, status, refusal, cost, retryAfter, remaining, violated, client }: Decision): string {
  const answer = status === 429
    ? `429 ${refusal}, limits ${violated.toString(2)}, Retry-After ${retryAfter}`
    : status === 200 ? `200 remaining ${remaining}` : `${status}`
  return `${formatTime(fromUs)} +${Math.round(untilUs - fromUs)} us  instance ${instance}  ${client}  cost ${cost}  ${answer}`
}

function formatFault ({ kind, fromUs, untilUs, slot }: Fault): string {
  return `${formatTime(fromUs)} to ${formatTime(untilUs)}  ${kind}${slot === undefined ? '' : `, slot ${slot}`}`
}

function formatTime (us: number): string {
  return `${(us / 1_000_000).toFixed(6)} s`
}
