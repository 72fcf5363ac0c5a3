/** A call that is waited for. */
interface Waiting {
  /** The tick at which it is given up. */
  readonly dueTick: number
  /** `null` once the call is settled: nothing of it may be kept any longer. */
  expire: (() => void) | null
}

/** How many times within the deadline the loop is looked at. */
const TICKS = 5

/**
 * Gives up calls that take too long, without a timer for each: every call has the same deadline, so they expire in
 * the order in which they began, and one timer, which runs only while a call is waited for, serves them all.
 *
 * Time is counted in ticks of that timer. An event loop that was blocked for a while gets one tick for all of it, and
 * the calls then expire in the check phase, after the replies that had arrived were read: a blocked loop is not a
 * slow store.
 */
export class Deadline {
  readonly #tickMs: number
  #waiting: Waiting[] = []
  #first = 0
  #tick = 0
  #pending = 0
  #timer: NodeJS.Timeout | null = null

  /** `ms`: how long a call may take, whole milliseconds, 1 or more; up to a fifth is added by the counting. */
  constructor (ms: number) {
    this.#tickMs = Math.max(1, Math.ceil(ms / TICKS))
  }

  /** Watch a call. Whoever settles it calls what this answers; otherwise `expire` is called once. */
  watch (expire: () => void): () => void {
    // The current tick has begun already, so it does not count.
    const waiting: Waiting = { dueTick: this.#tick + TICKS + 1, expire }
    this.#waiting.push(waiting)
    this.#pending++
    this.#timer ??= setInterval(() => { setImmediate(() => { this.#advance() }) }, this.#tickMs).unref()
    return () => { this.#settle(waiting) }
  }

  /** Stop the timer. Calls that are still waited for expire now. */
  close (): void {
    for (const waiting of this.#waiting.splice(0)) this.#expire(waiting)
    this.#stop()
  }

  #advance (): void {
    this.#tick++
    while (this.#first < this.#waiting.length && this.#waiting[this.#first].dueTick <= this.#tick) {
      this.#expire(this.#waiting[this.#first++])
    }
    this.#forgetSettled()
    if (this.#pending === 0) this.#stop()
  }

  #settle (waiting: Waiting): void {
    if (waiting.expire === null) return
    waiting.expire = null
    this.#pending--
  }

  #expire (waiting: Waiting): void {
    const { expire } = waiting
    if (expire === null) return
    this.#settle(waiting)
    expire()
  }

  /** Move past settled calls at the front, and cut them off once they are half of the list. */
  #forgetSettled (): void {
    while (this.#first < this.#waiting.length && this.#waiting[this.#first].expire === null) this.#first++
    if (this.#first * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first)
      this.#first = 0
    }
  }

  #stop (): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }
}
