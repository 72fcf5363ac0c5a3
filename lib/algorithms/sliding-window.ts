import type { Refund } from './bucket-state.js'
import type { Quota } from './quota.js'
import type { CheckResult } from './check-result.js'

/*
 * Sliding window as a log of grants. The newest entry absorbs every grant within 1/128 of the window after its first
 * grant. Its time is that of its last grant. So an entry never expires early, and no interval of one window's length
 * holds more than `max`. At most 129 entries are kept, whatever `max` is. If the window is an hour or longer, the time
 * of an entry is rounded up to a whole millisecond: it then takes three bytes in Redis instead of five.
 *
 * The log is one flat array, oldest entry first:
 *   [time of the newest entry's first grant, units in all entries, last grant of entry 0, units of entry 0, ...]
 */
export type GrantLog = number[]

const HEADER = 2
const FIRST_GRANT = 0
const TOTAL = 1

const MILLISECOND_US = 1000
/** In windows from this length on, rounding to a millisecond adds less than 1 / 28,000 to the time between entries. */
const LONG_WINDOW_US = 3_600_000_000

export function createGrantLog (): GrantLog {
  return [0, 0]
}

/**
 * Decide whether `cost` units can be taken now. `appendGrant` writes a grant into the log. This function changes the log
 * only if the clock stepped back. A store that keeps a copy must then write the log. Otherwise a refused client waits
 * for the old time again.
 */
export function assessSlidingWindow (quota: Quota, log: GrantLog, cost: number, nowUs: number, result: CheckResult): void {
  clampToNow(quota, log, nowUs)
  const oldest = findFirstUnexpired(quota, log, nowUs)
  const used = countUsed(log, oldest)
  const isPossible = cost <= quota.max && quota.max !== 0
  result.granted = isPossible && used + cost <= quota.max
  result.delayUs = 0
  result.retryUs = result.granted ? 0 : isPossible ? computeRetryUs(quota, log, oldest, used + cost - quota.max, nowUs) : 'never'
  const usedAfter = result.granted ? used + cost : used
  result.remaining = Math.max(0, quota.max - usedAfter)
  result.resetUs = usedAfter === 0 ? 0 : result.granted && cost > 0 ? quota.windowUs : computeResetUs(quota, log, nowUs)
}

/** Write `units` granted now into the log, and drop expired entries. */
export function appendGrant (quota: Quota, log: GrantLog, units: number, nowUs: number): void {
  dropExpired(quota, log, nowUs)
  if (units === 0) return
  const newest = log.length - 2
  log[TOTAL] += units
  if (newest >= HEADER) {
    const endUs = toEntryEndUs(quota, log[newest])
    if (nowUs - log[FIRST_GRANT] < quota.mergeUs || nowUs <= endUs) {
      log[newest] = nowUs
      log[newest + 1] += units
      return
    }
    log[newest] = endUs
  }
  log.push(nowUs, units)
  log[FIRST_GRANT] = nowUs
}

/** The time that an entry keeps once a newer entry follows it. */
function toEntryEndUs ({ windowUs }: Quota, lastGrantUs: number): number {
  return windowUs < LONG_WINDOW_US ? lastGrantUs : Math.ceil(lastGrantUs / MILLISECOND_US) * MILLISECOND_US
}

/** Add `units` that were used without a check. The log holds at most twice `max`: more would change nothing. */
export function chargeSlidingWindow (quota: Quota, log: GrantLog, units: number, nowUs: number, result: CheckResult): void {
  dropExpired(quota, log, nowUs)
  appendGrant(quota, log, Math.max(0, Math.min(units, 2 * quota.max - log[TOTAL])), nowUs)
  writeResult(quota, log, nowUs, result)
}

/** Give back the units of an earlier charge, as long as its time is in the window. */
export function refundSlidingWindow (quota: Quota, log: GrantLog, refund: Refund, nowUs: number, result: CheckResult): void {
  dropExpired(quota, log, nowUs)
  const { units, chargedAtUs } = refund
  let entry = HEADER
  while (entry < log.length && log[entry] < chargedAtUs) entry += 2
  const isKept = entry < log.length && chargedAtUs + quota.windowUs > nowUs
  if (isKept) {
    const returned = Math.min(units, log[entry + 1])
    log[entry + 1] -= returned
    log[TOTAL] -= returned
    if (log[entry + 1] === 0) {
      // The previous entry must not absorb grants again: the time of its first grant is no longer known.
      if (entry === log.length - 2) log[FIRST_GRANT] = 0
      log.splice(entry, 2)
    }
  }
  writeResult(quota, log, nowUs, result)
}

/** When the last entry expires. The log can be dropped then. */
export function slidingWindowEndUs (quota: Quota, log: GrantLog): number {
  return log.length > HEADER ? log[log.length - 2] + quota.windowUs : 0
}

function writeResult (quota: Quota, log: GrantLog, nowUs: number, result: CheckResult): void {
  result.remaining = Math.max(0, quota.max - log[TOTAL])
  result.resetUs = log[TOTAL] === 0 ? 0 : computeResetUs(quota, log, nowUs)
}

function findFirstUnexpired (quota: Quota, log: GrantLog, nowUs: number): number {
  let entry = HEADER
  while (entry < log.length && nowUs - log[entry] >= quota.windowUs) entry += 2
  return entry
}

function countUsed (log: GrantLog, oldest: number): number {
  let used = log[TOTAL]
  for (let entry = HEADER; entry < oldest; entry += 2) used -= log[entry + 1]
  return used
}

function computeRetryUs (quota: Quota, log: GrantLog, oldest: number, excess: number, nowUs: number): number {
  let entry = oldest
  for (let freed = log[entry + 1]; freed < excess; freed += log[entry + 1]) entry += 2
  return entryTtlUs(quota, log[entry], nowUs)
}

function computeResetUs (quota: Quota, log: GrantLog, nowUs: number): number {
  return entryTtlUs(quota, log[log.length - 2], nowUs)
}

function entryTtlUs (quota: Quota, lastGrantUs: number, nowUs: number): number {
  return lastGrantUs + quota.windowUs - nowUs
}

function dropExpired (quota: Quota, log: GrantLog, nowUs: number): void {
  clampToNow(quota, log, nowUs)
  const oldest = findFirstUnexpired(quota, log, nowUs)
  if (oldest > HEADER) {
    log[TOTAL] = countUsed(log, oldest)
    log.copyWithin(HEADER, oldest)
    log.length -= oldest - HEADER
  }
}

/**
 * A grant in the future means that the clock stepped back (a failover). It then counts as a grant of now.
 * All such grants become one entry, together with entries that are too close before it. Otherwise there could be
 * more than 129 entries.
 */
function clampToNow (quota: Quota, log: GrantLog, nowUs: number): void {
  if (log.length === HEADER || log[log.length - 2] <= nowUs) return
  let units = 0
  while (log.length > HEADER && nowUs - log[log.length - 2] < quota.mergeUs) {
    units += log[log.length - 1]
    log.length -= 2
  }
  log.push(nowUs, units)
  log[FIRST_GRANT] = nowUs
}
