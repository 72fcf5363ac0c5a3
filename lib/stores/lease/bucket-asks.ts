import type { Standing, Unavailable } from '../store.js'

/** How long a bucket is not asked for a lease after it had none, or after a call failed, microseconds. */
const PAUSE_US = 5000

/** The checks of one bucket that the store is deciding, and what it said last. */
export class BucketAsks {
  /** Called when the store has answered a check, with `null`, or when that failed. */
  readonly #waiting: Array<(failure: Unavailable | null) => void> = []
  #pending = 0
  #isAskingForLease = false
  /** Whether the last answer left nothing for others. */
  #isScarce = false
  #pausedUntilUs = 0
  #emptyUntilUs = 0

  /** Whether a request for a lease is on its way. */
  get isAskingForLease (): boolean { return this.#isAskingForLease }

  /** Whether a check should wait for the answer to another one: that may bring a lease, or the bucket is empty. */
  get isDeciding (): boolean { return this.#isAskingForLease || (this.#isScarce && this.#pending > 0) }

  /** Whether to ask for a lease now. */
  canAsk (nowUs: number): boolean { return !this.#isAskingForLease && nowUs >= this.#pausedUntilUs }

  /** Whether the store refused a charge a moment ago. Its cache repeats that. */
  isEmpty (nowUs: number): boolean { return nowUs < this.#emptyUntilUs }

  wait (resume: (failure: Unavailable | null) => void): void { this.#waiting.push(resume) }

  /** A check is sent. `isAsking`: for a lease too. */
  begin (isAsking: boolean): void {
    this.#pending++
    if (isAsking) this.#isAskingForLease = true
  }

  /** The store replied. `isAsking`: to a check that asked for a lease too. */
  note ({ granted, remaining, retryUs }: Standing, isLeased: boolean, isAsking: boolean, nowUs: number): void {
    this.#isScarce = !granted || (remaining === 0 && !isLeased)
    // Others may give units back before the wait is over.
    if (!granted && retryUs !== 'never') this.#emptyUntilUs = nowUs + Math.min(retryUs, PAUSE_US)
    if (isAsking && !isLeased) this.#pausedUntilUs = nowUs + PAUSE_US
  }

  /** A check was answered, or failed. Others go on. */
  finish (isAsking: boolean, failure: Unavailable | null, nowUs: number): void {
    this.#pending--
    if (isAsking) this.#isAskingForLease = false
    if (isAsking && failure !== null) this.#pausedUntilUs = nowUs + PAUSE_US
    if (this.#waiting.length === 0) return
    for (const resume of this.#waiting.splice(0)) resume(failure)
  }
}
