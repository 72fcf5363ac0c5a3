import type { Clock } from '../../common/clock.js'

/** Longest delay before the first attempt to connect again, milliseconds. */
const FIRST_DELAY_MS = 100
/** Longest interval between attempts. With the time to connect less than the second within which limits must hold again. */
const MAX_INTERVAL_MS = 800

/**
 * How long to wait before an attempt to connect, milliseconds: twice as long each time, and half of it random. Otherwise
 * all instances would connect at the same moments to a Redis that comes back.
 *
 * `attempt`: 1 for the first. `random`: returns a number from 0 to 1.
 */
export function retryDelayMs (attempt: number, random: () => number = Math.random): number {
  const longestMs = Math.min(MAX_INTERVAL_MS, FIRST_DELAY_MS * 2 ** (attempt - 1))
  return Math.round(longestMs / 2 * (1 + random()))
}

/** A retry strategy for one client of ioredis, which counts the time of an attempt: one that timed out has waited enough. */
export function createRetryStrategy (clock: Clock, random?: () => number): (attempt: number) => number {
  let startedUs = clock.nowUs()
  return (attempt) => {
    const tookMs = Math.max(0, Math.floor((clock.nowUs() - startedUs) / 1000))
    const delayMs = Math.max(retryDelayMs(1, random), retryDelayMs(attempt, random) - tookMs)
    startedUs = clock.nowUs() + delayMs * 1000
    return delayMs
  }
}
