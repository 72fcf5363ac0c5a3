import type { Clock } from '../common/clock.js'

/** A call that is waited for. */
interface PendingCall {
  /** The counted time at which it is given up, microseconds. */
  readonly dueUs: number
  /** `null` once the call is settled: nothing of it may be kept any longer. */
  expire: (() => void) | null
}

/** How many times within a short deadline the loop is looked at. */
const TICKS = 5
/** Longest time between two looks, milliseconds: a long deadline must not be overrun by a fifth of it. */
const MAX_TICK_MS = 20

/**
 * Gives up calls that take too long, without a timer for each: every call has the same deadline, so they expire in
 * the order in which they began, and one timer, which runs only while a call is waited for, serves them all.
 *
 * Time is counted in ticks of that timer. An event loop that was blocked for a while gets two ticks at most for all of
 * it, and the calls then expire in the check phase, after the replies that had arrived were read: a blocked loop is
 * not a slow store.
 */
export class Deadline {
  readonly #deadlineUs: number
  readonly #tickUs: number
  readonly #clock: Clock
  #calls: PendingCall[] = []
  #first = 0
  #countedUs = 0
  #checkedAtUs = 0
  #pending = 0
  #timer: NodeJS.Timeout | null = null

  /** `ms`: how long a call may take, whole milliseconds, 1 or more; up to two ticks are added by the counting. */
  constructor (ms: number, clock: Clock) {
    this.#deadlineUs = ms * 1000
    this.#tickUs = Math.min(MAX_TICK_MS, Math.ceil(ms / TICKS)) * 1000
    this.#clock = clock
  }

  /** Watch a call. Whoever settles it calls what this answers; otherwise `expire` is called once. */
  watch (expire: () => void): () => void {
    // A tick that has begun already does not count.
    const begunUs = this.#timer === null ? 0 : this.#tickUs
    const call: PendingCall = { dueUs: this.#countedUs + begunUs + this.#deadlineUs, expire }
    this.#calls.push(call)
    this.#pending++
    if (this.#timer === null) this.#start()
    return () => { this.#settle(call) }
  }

  /** Stop the timer. Calls that are still waited for expire now. */
  close (): void {
    this.#first = 0
    for (const call of this.#calls.splice(0)) this.#expire(call)
    this.#stop()
  }

  #advance (): void {
    // The timer was stopped while its look was on the way.
    if (this.#timer === null) return
    const nowUs = this.#clock.nowUs()
    // Timers run late under load, and a count of ticks alone would add their delays up.
    this.#countedUs += Math.min(Math.max(nowUs - this.#checkedAtUs, this.#tickUs), 2 * this.#tickUs)
    this.#checkedAtUs = nowUs
    while (this.#first < this.#calls.length && this.#calls[this.#first].dueUs <= this.#countedUs) {
      this.#expire(this.#calls[this.#first++])
    }
    this.#dropSettled()
    if (this.#pending === 0) this.#stop()
  }

  #settle (call: PendingCall): void {
    if (call.expire === null) return
    call.expire = null
    this.#pending--
  }

  #expire (call: PendingCall): void {
    const { expire } = call
    if (expire === null) return
    this.#settle(call)
    expire()
  }

  /** Move past settled calls at the front, and cut them off once they are half of the list. */
  #dropSettled (): void {
    while (this.#first < this.#calls.length && this.#calls[this.#first].expire === null) this.#first++
    if (this.#first * 2 >= this.#calls.length) {
      this.#calls = this.#calls.slice(this.#first)
      this.#first = 0
    }
  }

  #start (): void {
    this.#checkedAtUs = this.#clock.nowUs()
    this.#timer = setInterval(() => { setImmediate(() => { this.#advance() }) }, this.#tickUs / 1000).unref()
  }

  #stop (): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }
}
