/** Wait for the promise of one function. Rejects when the time is over. `label`: what is missing then. */
export function waitFor (pending: PromiseLike<unknown>, limitMs: number, label: string): Promise<unknown> {
  const budget = new TimeBudget(limitMs)
  return budget.race(pending, label).finally(() => { budget.stop() })
}

/**
 * The time that one identification may take in all, for every function of the application that it awaits.
 * It starts with the first wait: a function that returns without a promise costs no timer.
 */
export class TimeBudget {
  readonly #limitMs: number
  #timer: NodeJS.Timeout | null = null
  #hasExpired = false
  #rejectPending: (() => void) | null = null

  /** `limitMs`: whole milliseconds, 1 or more. */
  constructor (limitMs: number) {
    this.#limitMs = limitMs
  }

  get hasExpired (): boolean {
    return this.#hasExpired
  }

  /**
   * Resolves or rejects as `pending` does, and rejects when the time is over. One wait at a time.
   * An expired budget still allows one turn of the event loop, so that a promise without delay is accepted.
   */
  race (pending: PromiseLike<unknown>, label: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const rejectLate = () => reject(new Error(`no ${label} within ${this.#limitMs} ms`))
      if (this.#hasExpired) {
        setImmediate(rejectLate)
      } else {
        this.#rejectPending = rejectLate
        this.#timer ??= setTimeout(() => this.#expire(), this.#limitMs).unref()
      }
      // Promise.resolve: a thenable's own `then` may throw.
      Promise.resolve(pending).then(resolve, reject)
    })
  }

  /** Clears the timer: it must not outlive the request. */
  stop (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #expire (): void {
    this.#hasExpired = true
    this.#rejectPending?.()
  }
}
