import type { Clock } from '../common/clock.js'

/** `closed`: calls are made. `open`: no call is made. `half-open`: one call, the probe, is in progress. */
export type BreakerState = 'closed' | 'open' | 'half-open'

export interface BreakerOptions {
  /** Failed calls that open the breaker, if they are at least half of the calls within `withinMs`. 1 or more. */
  readonly failures: number
  /** How long calls are counted, milliseconds. */
  readonly withinMs: number
  /** How long no call is made after the breaker opens, milliseconds. */
  readonly openForMs: number
}

/** `withinMs` is counted in this many slices. The oldest slice is dropped when a new one starts. */
const SLICES = 10

/**
 * Stops calls to a store that fails: after enough failures no call is made for some time. Then a single probe decides
 * whether the store is available again (M. Nygard, Release It!, "Circuit Breaker").
 */
export class Breaker {
  readonly #options: BreakerOptions
  readonly #clock: Clock
  readonly #onChange: (state: BreakerState) => void
  readonly #calls = new Array<number>(SLICES).fill(0)
  readonly #failures = new Array<number>(SLICES).fill(0)
  #slice = 0
  #state: BreakerState = 'closed'
  /** Number of state changes. The outcome of a call counts only if the state has not changed since it was admitted. */
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

  /** Whether a call would be admitted now, including a probe that is due. */
  get isAdmitting (): boolean {
    return this.#state === 'closed' || (this.#state === 'open' && this.sinceMs >= this.#options.openForMs)
  }

  /** Returns a permit for one call, or `null`. The outcome of the call must be recorded: it may be the probe. */
  admit (): number | null {
    if (!this.isAdmitting) return null
    if (this.#state === 'open') this.#change('half-open')
    return this.#generation
  }

  /** Record the outcome of an admitted call. Outcomes from before the last state change are ignored. */
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
