import type { LimitStanding } from '../model/decision.js'
import { isConcurrency, type Standing } from '../stores/store.js'

/** The bucket of a standing, as a key. */
export function formatBucket ({ limit, partition }: Standing): string {
  return `${limit.bucket} ${partition}`
}

/** The limit by rate that the headers describe: see `Decision.limitName`. A shadow limit only if no limit is enforced. */
export function selectBinding (standings: readonly Standing[]): Standing {
  let binding = standings[0]
  for (let i = 1; i < standings.length; i++) {
    if (!isConcurrency(standings[i].limit) && bindsBefore(standings[i], binding)) binding = standings[i]
  }
  return binding
}

/** Whether the headers describe `a` rather than `b`. */
export function bindsBefore (a: Standing, b: Standing): boolean {
  if (a.limit.mode !== b.limit.mode) return a.limit.mode === 'enforce'
  if (a.granted !== b.granted) return !a.granted
  if (!a.granted) return toWaitUs(a) > toWaitUs(b)
  const difference = a.remaining * b.limit.capacity - b.remaining * a.limit.capacity
  // If the remaining shares are equal, the limit with the longer delay binds.
  return difference < 0 || (difference === 0 && a.delayUs > b.delayUs)
}

function toWaitUs (standing: Standing): number {
  return standing.retryUs === 'never' ? Infinity : standing.retryUs
}

/** Milliseconds, rounded up. */
export function toRetryAfterMs (standing: Standing): number | 'never' {
  return standing.retryUs === 'never' ? 'never' : Math.ceil(standing.retryUs / 1000)
}

const CONCURRENCY = { windowMs: 0, kind: 'concurrency' } as const

/**
 * Convert a standing to its public form. For a request held for `delayUs`, it describes the time of the release.
 * `remaining`: as changed since.
 */
export function toLimitStanding (standing: Standing, delayUs = 0, remaining = standing.remaining): LimitStanding {
  const { limit } = standing
  return {
    name: limit.name,
    limit: limit.capacity,
    max: limit.room == null ? limit.max : limit.room.max,
    windowMs: limit.windowUs / 1000,
    ...limit.calendar === null ? {} : { period: limit.calendar.unit },
    remaining,
    resetAfterMs: Math.ceil(Math.max(0, standing.resetUs - delayUs) / 1000),
    retryAfterMs: toRetryAfterMs(standing),
    blockedMs: Math.ceil(standing.blockedUs / 1000),
    mode: limit.mode,
    isExceeded: !standing.granted,
    ...(isConcurrency(limit) ? CONCURRENCY : {})
  }
}
