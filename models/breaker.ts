import { advanceSlices, createCircuit, type BreakerOptions, type BreakerState, type Circuit } from '../lib/algorithms/breaker.js'
import { copyCircuit, toBreakerOptions, type Rules } from './breaker-rules.js'
import type { Model } from './explore.js'

/*
 * Calls to a store that succeeds, fails or hangs, each with a deadline, under a breaker. Each step is one event: a call, its result,
 * its deadline, a tick of time. A result can come after the deadline of its call, in any later state.
 *
 * What must hold: the breaker opens if, and only if, there are enough failures. While it is open, no call is made. Then there is one
 * probe at a time, and its outcome alone decides. The outcome of a call from an earlier state changes nothing.
 *
 * The bound: from every state, a store that answers again leads to a closed breaker within the deadline and the time that it is open.
 */

export interface BreakerModelOptions {
  /** 1 or more. */
  readonly failures: number
  /** Ticks: 1, 2, 5 or 10. */
  readonly withinTicks: number
  readonly openForTicks: number
  readonly deadlineTicks: number
  /** The most calls that are in progress, or that may still have a late result. */
  readonly calls: number
  /** The most outcomes within `withinTicks`. */
  readonly outcomes: number
}

interface Call {
  readonly permit: number
  /** Ticks since it was made. */
  readonly age: number
  /** The deadline is over. */
  readonly isOver: boolean
  /** Whether it was made in this state of the breaker: its outcome counts. */
  readonly isCurrent: boolean
}

interface Outcome {
  readonly age: number
  readonly isSuccess: boolean
}

export interface State {
  /** Its times are relative to now. */
  readonly circuit: Circuit
  readonly calls: readonly Call[]
  /** What the model has seen since the last change of the state, within the time. */
  readonly outcomes: readonly Outcome[]
  /** Ticks until a call may be made again. */
  readonly openIn: number
  readonly fault: string | null
}

/** A multiple of each length of a slice. */
const NOW_US = 1_000_000_000
const TICK_US = 10_000

export function createBreakerModel (options: BreakerModelOptions, rules: Rules): Model<State> {
  return new BreakerModel(options, rules)
}

class BreakerModel implements Model<State> {
  readonly start: State
  readonly #options: BreakerModelOptions
  readonly #breaker: BreakerOptions
  readonly #rules: Rules

  constructor (options: BreakerModelOptions, rules: Rules) {
    const { failures, withinTicks, openForTicks } = options
    this.#options = options
    this.#breaker = toBreakerOptions(failures, withinTicks, openForTicks)
    this.#rules = rules
    const circuit = createCircuit(NOW_US)
    advanceSlices(this.#breaker, circuit, NOW_US)
    this.start = { circuit, calls: [], outcomes: [], openIn: 0, fault: null }
  }

  slack (state: State): number {
    if (state.fault !== null) return -1
    const { deadlineTicks, openForTicks } = this.#options
    return deadlineTicks + openForTicks - this.#countTicksToRecover(state)
  }

  key ({ circuit: { state, sinceUs, generation, calls, failures }, calls: inProgress, outcomes, openIn, fault }: State): string {
    const sent = inProgress.map(({ permit, age, isOver, isCurrent }) => {
      // Generations that are further in the past than this are equal.
      return `${Math.max(permit - generation, -3)},${age},${isOver},${isCurrent}`
    })
    const seen = outcomes.map(({ age, isSuccess }) => `${age}${isSuccess}`)
    const openUs = state === 'open' ? Math.min(NOW_US - sinceUs, this.#options.openForTicks * TICK_US) : 0
    return `${state},${openUs}|${calls}|${failures}|${sent.sort().join(';')}|${seen.sort().join(';')}|${openIn}|${fault}`
  }

  next (state: State, visit: (state: State, step: string) => void): void {
    const { deadlineTicks, calls, outcomes } = this.#options
    // A deadline is noticed within a tick.
    if (state.calls.every(({ age, isOver }) => isOver || age <= deadlineTicks)) visit(this.#tick(state), 'tick')
    if (state.calls.length < calls && state.outcomes.length + state.calls.length < outcomes) this.#send(state, visit)
    state.calls.forEach((call, at) => {
      if (!call.isOver && call.age >= deadlineTicks) visit(this.#expire(state, at), 'a call is at its deadline')
      for (const isSuccess of [true, false]) {
        visit(this.#answer(state, at, isSuccess), `a ${call.isOver ? 'late call' : 'call'} ${isSuccess ? 'succeeds' : 'fails'}`)
      }
    })
  }

  #send (state: State, visit: (state: State, step: string) => void): void {
    const circuit = copyCircuit(state.circuit)
    const permit = this.#rules.admit(this.#breaker, circuit, NOW_US)
    const fault = permit === null ? this.#findMissingProbe(state) : this.#findUnwantedCall(state)
    if (permit === null) return visit({ ...state, circuit, fault }, fault ?? 'a call is not made')
    const call: Call = { permit, age: 0, isOver: false, isCurrent: true }
    const after = this.#follow(state, { ...state, circuit, fault })
    const step = circuit.state === 'closed' ? 'a call is made' : 'a probe is made'
    visit({ ...after, calls: [...after.calls, call] }, fault ?? step)
  }

  #findMissingProbe ({ circuit, openIn }: State): string | null {
    return circuit.state === 'open' && openIn === 0 ? 'no probe is made after its time' : null
  }

  #findUnwantedCall ({ circuit, calls, openIn }: State): string | null {
    if (openIn > 0) return 'a call is made while it is open'
    const hasProbe = circuit.state === 'half-open' && calls.some(({ isOver, isCurrent }) => !isOver && isCurrent)
    return hasProbe ? 'a second probe is made' : null
  }

  #expire (state: State, at: number): State {
    const call = state.calls[at]
    const after = { ...state, calls: state.calls.with(at, { ...call, isOver: true }) }
    return this.#rules.recordsDeadline ? this.#record(after, call, false) : after
  }

  #answer (state: State, at: number, isSuccess: boolean): State {
    const call = state.calls[at]
    const after = { ...state, calls: state.calls.toSpliced(at, 1) }
    return !call.isOver || this.#rules.recordsLate ? this.#record(after, call, isSuccess) : after
  }

  #record (state: State, { permit, isCurrent, isOver }: Call, isSuccess: boolean): State {
    const circuit = copyCircuit(state.circuit)
    this.#rules.record(this.#breaker, circuit, permit, isSuccess, NOW_US)
    // A second outcome of a call is none.
    const outcomes = isCurrent && !isOver ? [...state.outcomes, { age: 0, isSuccess }] : state.outcomes
    const expected = isCurrent ? this.#expect(state, outcomes, isSuccess) : state.circuit.state
    const fault = circuit.state === expected ? null : `it is ${circuit.state} instead of ${expected}`
    return this.#follow(state, { ...state, circuit, outcomes, fault })
  }

  /** The state after the outcome of a call that was made in this state. */
  #expect ({ circuit: { state } }: State, outcomes: readonly Outcome[], isSuccess: boolean): BreakerState {
    if (state === 'half-open') return isSuccess ? 'closed' : 'open'
    const failed = outcomes.filter(({ isSuccess }) => !isSuccess).length
    return !isSuccess && failed >= this.#options.failures && failed * 2 >= outcomes.length ? 'open' : state
  }

  /** What the model remembers of a change of the state. */
  #follow (before: State, after: State): State {
    if (before.circuit.state === after.circuit.state) return after
    const calls = after.calls.map((call) => ({ ...call, isCurrent: false }))
    return { ...after, calls, outcomes: [], openIn: after.circuit.state === 'open' ? this.#options.openForTicks : 0 }
  }

  #tick ({ circuit: before, calls, outcomes, openIn, fault }: State): State {
    const { deadlineTicks, withinTicks } = this.#options
    const circuit = this.#pass(before)
    return {
      circuit,
      calls: calls.map((call) => ({ ...call, age: Math.min(call.age + 1, deadlineTicks + 1) })),
      outcomes: outcomes.map((outcome) => ({ ...outcome, age: outcome.age + 1 })).filter(({ age }) => age < withinTicks),
      openIn: Math.max(0, openIn - 1),
      fault
    }
  }

  /** The circuit a tick later. The slices that are over are dropped, as the next outcome would do: so more states are equal. */
  #pass (before: Circuit): Circuit {
    const circuit = copyCircuit(before)
    const slices = circuit.calls.length / this.#options.withinTicks
    circuit.sinceUs -= TICK_US
    circuit.slice -= slices
    for (const counts of [circuit.calls, circuit.failures]) counts.push(...counts.splice(0, slices))
    this.#rules.advance(this.#breaker, circuit, NOW_US)
    return circuit
  }

  /** How long it takes from here if the store answers each new call at once, and none of those that it has. */
  #countTicksToRecover (state: State): number {
    const { deadlineTicks, openForTicks } = this.#options
    let circuit = copyCircuit(state.circuit)
    for (let ticks = 0; ticks <= deadlineTicks + openForTicks; ticks++) {
      for (const { permit, age, isOver } of state.calls) {
        const isDue = !isOver && (age + ticks === deadlineTicks || (ticks === 0 && age > deadlineTicks))
        if (isDue && this.#rules.recordsDeadline) this.#rules.record(this.#breaker, circuit, permit, false, NOW_US)
      }
      const permit = this.#rules.admit(this.#breaker, circuit, NOW_US)
      if (permit !== null) this.#rules.record(this.#breaker, circuit, permit, true, NOW_US)
      if (circuit.state === 'closed') return ticks
      circuit = this.#pass(circuit)
    }
    return Infinity
  }
}
