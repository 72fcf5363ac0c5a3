/**
 * The time that one identification may take, however many functions of the application it waits for. It begins with
 * the first wait: what answers in the same turn costs no timer.
 */
export class Patience {
  readonly #limitMs: number
  #timer: NodeJS.Timeout | null = null
  #isOver = false
  #giveUp: (() => void) | null = null

  /** `limitMs`: whole milliseconds, 1 or more. */
  constructor (limitMs: number) {
    this.#limitMs = limitMs
  }

  /**
   * What a promise comes to. Rejects as it does, and where the time is over first. One wait at a time.
   * When the time is over already, a turn of the event loop is left, so that a function without delay still counts.
   */
  wait (pending: PromiseLike<unknown>, awaited: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(new Error(`no ${awaited} within ${this.#limitMs} ms`))
      if (this.#isOver) {
        setImmediate(giveUp)
      } else {
        this.#giveUp = giveUp
        this.#timer ??= setTimeout(() => this.#end(), this.#limitMs).unref()
      }
      // Promise.resolve: a thenable's own `then` may throw.
      Promise.resolve(pending).then(resolve, reject)
    })
  }

  /** Keep no timer longer than the request. */
  stop (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #end (): void {
    this.#isOver = true
    this.#giveUp?.()
  }
}
