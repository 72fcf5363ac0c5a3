import type { Clock } from '../common/clock.js'

/** A call in progress. */
interface PendingCall {
  /** The counted time at which the call expires, microseconds. */
  readonly dueUs: number
  /** `null` once the call is settled, so that nothing of it stays in memory. */
  expire: (() => void) | null
}

/** Ticks within a short deadline. */
const TICKS = 5
/** Longest tick, milliseconds: a long deadline must not be exceeded by a fifth of its length. */
const MAX_TICK_MS = 20

/**
 * Expires calls that take too long, with one timer for all of them. Every call has the same deadline, so calls expire in
 * the order in which they began. The timer runs only while a call is in progress.
 *
 * Time is counted in ticks of that timer. A blocked event loop counts as at most two ticks. Calls then expire in the
 * check phase, after replies that have arrived were read: a blocked loop is not a slow store.
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

  /** `ms`: how long a call may take, whole milliseconds, 1 or more. Counting in ticks adds up to two ticks. */
  constructor (ms: number, clock: Clock) {
    this.#deadlineUs = ms * 1000
    this.#tickUs = Math.min(MAX_TICK_MS, Math.ceil(ms / TICKS)) * 1000
    this.#clock = clock
  }

  /** Watch a call. Call the returned function to settle it; otherwise `expire` is called once. */
  watch (expire: () => void): () => void {
    // The current tick has already begun and does not count.
    const begunUs = this.#timer === null ? 0 : this.#tickUs
    const call: PendingCall = { dueUs: this.#countedUs + begunUs + this.#deadlineUs, expire }
    this.#calls.push(call)
    this.#pending++
    if (this.#timer === null) this.#start()
    return () => { this.#settle(call) }
  }

  /** Stop the timer. Calls that are still in progress expire now. */
  close (): void {
    this.#first = 0
    for (const call of this.#calls.splice(0)) this.#expire(call)
    this.#stop()
  }

  #advance (): void {
    // The timer was stopped after this callback was scheduled.
    if (this.#timer === null) return
    const nowUs = this.#clock.nowUs()
    // Timers run late under load. A plain count of ticks would add up their delays.
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

  /** Skip settled calls at the front, and remove them once they are half of the list. */
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
