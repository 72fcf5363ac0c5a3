import type { Clock } from '../common/clock.js'

/** `closed`: calls go through. `open`: none does. `half-open`: one, the probe, is on its way. */
export type BreakerState = 'closed' | 'open' | 'half-open'

export interface BreakerOptions {
  /** Failed calls that open the breaker, if they are at least half of the calls in that time. 1 or more. */
  readonly failures: number
  /** The time in which they are counted, milliseconds. */
  readonly withinMs: number
  /** How long no call is made once it is open, milliseconds. */
  readonly openForMs: number
}

/** Slices of the time in which failures are counted; the oldest falls out as a new one begins. */
const SLICES = 10

/**
 * Keeps calls from a store that fails: after enough failures none is made for a while, then a single probe decides
 * whether the store is back (M. Nygard, Release It!, "Circuit Breaker").
 */
export class Breaker {
  readonly #options: BreakerOptions
  readonly #clock: Clock
  readonly #onChange: (state: BreakerState) => void
  readonly #calls = new Array<number>(SLICES).fill(0)
  readonly #failures = new Array<number>(SLICES).fill(0)
  #slice = 0
  #state: BreakerState = 'closed'
  /** Counts the changes, so that a call's outcome is heard only in the state in which it was admitted. */
  #generation = 0
  #sinceUs: number

  constructor (options: BreakerOptions, clock: Clock, onChange: (state: BreakerState) => void) {
    this.#options = options
    this.#clock = clock
    this.#onChange = onChange
    this.#sinceUs = clock.nowUs()
  }

  get state (): BreakerState {
    return this.#state
  }

  /** How long the state has lasted, milliseconds. */
  get sinceMs (): number {
    return Math.floor((this.#clock.nowUs() - this.#sinceUs) / 1000)
  }

  /** Whether a call, were it made now, would be let through: also the probe that is due. */
  get isAdmitting (): boolean {
    return this.#state === 'closed' || (this.#state === 'open' && this.sinceMs >= this.#options.openForMs)
  }

  /** A permit for one call, or `null` when none may be made now. Its outcome must be recorded: it may be the probe's. */
  admit (): number | null {
    if (!this.isAdmitting) return null
    if (this.#state === 'open') this.#change('half-open')
    return this.#generation
  }

  /** The outcome of a call that was admitted. One from before the last change tells nothing new. */
  record (permit: number, isSuccess: boolean): void {
    if (permit !== this.#generation) return
    if (this.#state === 'half-open') {
      this.#change(isSuccess ? 'closed' : 'open')
      return
    }
    this.#advance()
    this.#calls[this.#slice % SLICES]++
    if (!isSuccess) this.#failures[this.#slice % SLICES]++
    const failures = sum(this.#failures)
    if (!isSuccess && failures >= this.#options.failures && failures * 2 >= sum(this.#calls)) this.#change('open')
  }

  #change (state: BreakerState): void {
    this.#state = state
    this.#generation++
    this.#sinceUs = this.#clock.nowUs()
    this.#calls.fill(0)
    this.#failures.fill(0)
    this.#onChange(state)
  }

  #advance (): void {
    const slice = Math.floor(this.#clock.nowUs() / 1000 / (this.#options.withinMs / SLICES))
    for (let passed = Math.min(slice - this.#slice, SLICES); passed > 0; passed--) {
      const emptied = (slice - passed + 1) % SLICES
      this.#calls[emptied] = 0
      this.#failures[emptied] = 0
    }
    this.#slice = slice
  }
}

function sum (counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
