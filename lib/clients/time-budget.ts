/**
 * The time that one identification may take, however many functions of the application it waits for. It begins with
 * the first wait: what answers in the same turn costs no timer.
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

  /**
   * What a promise comes to. Rejects as it does, and where the time is over first. One wait at a time.
   * When the time is over already, a turn of the event loop is left, so that a function without delay still counts.
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

  /** Keep no timer longer than the request. */
  stop (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #expire (): void {
    this.#hasExpired = true
    this.#rejectPending?.()
  }
}
