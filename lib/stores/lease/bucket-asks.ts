import type { Standing, Unavailable } from '../store.js'

/** How long a bucket is not asked for a lease after it had none, or after a call failed, microseconds. */
const PAUSE_US = 5000

/** The same while the bucket is empty: the little that drains is used up at once. */
const EMPTY_PAUSE_US = 100_000

/** A check that was answered. */
export interface Ask {
  /** Whether it asked for a lease too. */
  readonly isAsking: boolean
  readonly sentAtUs: number
  readonly nowUs: number
}

/** What one bucket asks the store for, and what the store said last. */
export class BucketAsks {
  /** Called when the store has answered a request for a lease, with `null`, or when that failed. */
  readonly #waiting: Array<(failure: Unavailable | null) => void> = []
  #isAskingForLease = false
  /** Whether the last answer left nothing for others. */
  isScarce = false
  #pausedUntilUs = 0
  #emptyUntilUs = 0

  /** Whether a request for a lease is on its way. */
  get isAskingForLease (): boolean { return this.#isAskingForLease }

  /** Whether to ask for a lease now. */
  canAsk (nowUs: number): boolean { return !this.#isAskingForLease && nowUs >= this.#pausedUntilUs }

  /** Whether the store refused a charge a moment ago. Its cache repeats that. */
  isEmpty (nowUs: number): boolean { return nowUs < this.#emptyUntilUs }

  wait (resume: (failure: Unavailable | null) => void): void { this.#waiting.push(resume) }

  /** A check is sent. `isAsking`: for a lease too. */
  begin (isAsking: boolean): void {
    if (isAsking) this.#isAskingForLease = true
  }

  /** The store replied. */
  note ({ granted, remaining, retryUs }: Standing, isLeased: boolean, { isAsking, sentAtUs, nowUs }: Ask): void {
    this.isScarce = !granted || (remaining === 0 && !isLeased)
    // As long as the cache repeats the refusal: others may give units back before the wait is over.
    if (!granted && retryUs !== 'never') this.#emptyUntilUs = sentAtUs + Math.min(retryUs, PAUSE_US)
    if (!granted) this.#pausedUntilUs = nowUs + EMPTY_PAUSE_US
    else if (isAsking && !isLeased) this.#pausedUntilUs = Math.max(this.#pausedUntilUs, nowUs + PAUSE_US)
  }

  /** A check was answered, or failed. Those that wait for a lease go on. */
  finish ({ isAsking, nowUs }: Ask, failure: Unavailable | null): void {
    if (!isAsking) return
    this.#isAskingForLease = false
    if (failure !== null) this.#pausedUntilUs = nowUs + PAUSE_US
    if (this.#waiting.length === 0) return
    for (const resume of this.#waiting.splice(0)) resume(failure)
  }
}
