import type { BucketState } from './bucket-state.js'

/**
 * The result of checking one charge, in whole units and microseconds.
 * The caller owns the object and reuses it for the next charge, so that a check allocates nothing.
 */
export interface CheckResult extends BucketState {
  granted: boolean
  /** Units that can still be taken at this moment. */
  remaining: number
  /** Time until nothing is used any more: the bucket is full, or the window is over. */
  resetUs: number
  /** How long a granted charge must be held until its token is due; 0 when it is due now. */
  delayUs: number
  /** Wait after which the same charge is granted if no other charge comes first; 0 when granted, `'never'` where no wait helps. */
  retryUs: number | 'never'
  /**
   * The state of the bucket: with the charge when it is granted, else the old state, brought to now.
   * After a clock stepped back, the old state differs from the stored one. Unless it is written, each refusal
   * restarts the wait.
   */
  timeUs: number
  count: number
}

export function createCheckResult (): CheckResult {
  return { granted: false, remaining: 0, resetUs: 0, delayUs: 0, retryUs: 0, timeUs: 0, count: 0 }
}
