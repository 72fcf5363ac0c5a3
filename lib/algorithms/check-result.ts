/**
 * What an algorithm says of one charge, in whole units and microseconds.
 * The caller owns it and may use it again for the next charge, so that a check allocates nothing.
 */
export interface CheckResult {
  granted: boolean
  /** Units that could still be taken at this moment. */
  remaining: number
  /** Until nothing is used any more: bucket full, window over. */
  resetUs: number
  /** How long a granted charge is to be held until its token is due; 0 when it is due now. */
  delayUs: number
  /** Wait after which the same charge is granted if nobody else takes; 0 when granted, `'never'` where no wait helps. */
  retryUs: number | 'never'
  /**
   * The bucket's state once the charge is applied; the old state, settled to now, when it is refused. After a clock
   * stepped back that differs from what was stored: unless it is written, each refusal starts the wait anew.
   */
  timeUs: number
  count: number
}

export function createCheckResult (): CheckResult {
  return { granted: false, remaining: 0, resetUs: 0, delayUs: 0, retryUs: 0, timeUs: 0, count: 0 }
}
