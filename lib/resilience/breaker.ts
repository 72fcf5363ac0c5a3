import {
  admitCall, circuitAgeMs, createCircuit, isAdmitting, recordOutcome, type BreakerOptions, type BreakerState, type Circuit
} from '../algorithms/breaker.js'
import type { Clock } from '../common/clock.js'

export type { BreakerOptions, BreakerState } from '../algorithms/breaker.js'

/** Stops calls to a store that fails: a circuit with a clock. */
export class Breaker {
  readonly #options: BreakerOptions
  readonly #clock: Clock
  readonly #onChange: (state: BreakerState) => void
  readonly #circuit: Circuit

  constructor (options: BreakerOptions, clock: Clock, onChange: (state: BreakerState) => void) {
    this.#options = options
    this.#clock = clock
    this.#onChange = onChange
    this.#circuit = createCircuit(clock.nowUs())
  }

  get state (): BreakerState {
    return this.#circuit.state
  }

  /** How long the state has lasted, milliseconds. */
  get sinceMs (): number {
    return circuitAgeMs(this.#circuit, this.#clock.nowUs())
  }

  /** Whether a call would be admitted now, including a probe that is due. */
  get isAdmitting (): boolean {
    return isAdmitting(this.#options, this.#circuit, this.#clock.nowUs())
  }

  /** Returns a permit for one call, or `null`. The outcome of the call must be recorded: it may be the probe. */
  admit (): number | null {
    const { state, generation } = this.#circuit
    // Nearly all calls: they need no look at the clock.
    if (state === 'closed') return generation
    const permit = admitCall(this.#options, this.#circuit, this.#clock.nowUs())
    this.#reportChange(state)
    return permit
  }

  /** Record the outcome of an admitted call. Outcomes from before the last state change are ignored. */
  record (permit: number, isSuccess: boolean): void {
    const { state } = this.#circuit
    recordOutcome(this.#options, this.#circuit, permit, isSuccess, this.#clock.nowUs())
    this.#reportChange(state)
  }

  #reportChange (before: BreakerState): void {
    const { state } = this.#circuit
    if (state !== before) this.#onChange(state)
  }
}
