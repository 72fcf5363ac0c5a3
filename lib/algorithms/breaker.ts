/*
 * A circuit breaker: after enough failed calls no call is made for some time. Then a single probe decides whether the
 * store is available again (M. Nygard, Release It!, "Circuit Breaker").
 */

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

/** What a breaker remembers. */
export interface Circuit {
  state: BreakerState
  /** Since when the state lasts, microseconds. */
  sinceUs: number
  /** Number of state changes. The outcome of a call counts only if the state has not changed since it was admitted. */
  generation: number
  /** The number of the current slice of `withinMs`, and the calls and failures of each slice. */
  slice: number
  readonly calls: number[]
  readonly failures: number[]
}

/** `withinMs` is counted in this many slices. The oldest slice is dropped when a new one starts. */
const SLICES = 10

export function createCircuit (nowUs: number): Circuit {
  const noCalls = new Array<number>(SLICES).fill(0)
  return { state: 'closed', sinceUs: nowUs, generation: 0, slice: 0, calls: noCalls, failures: [...noCalls] }
}

/** How long the state has lasted, milliseconds. */
export function circuitAgeMs ({ sinceUs }: Circuit, nowUs: number): number {
  return Math.floor((nowUs - sinceUs) / 1000)
}

/** Whether a call would be admitted now, including a probe that is due. */
export function isAdmitting (options: BreakerOptions, circuit: Circuit, nowUs: number): boolean {
  return circuit.state === 'closed' || (circuit.state === 'open' && circuitAgeMs(circuit, nowUs) >= options.openForMs)
}

/** Returns a permit for one call, or `null`. The outcome of the call must be recorded: it may be the probe. */
export function admitCall (options: BreakerOptions, circuit: Circuit, nowUs: number): number | null {
  if (!isAdmitting(options, circuit, nowUs)) return null
  if (circuit.state === 'open') changeState(circuit, 'half-open', nowUs)
  return circuit.generation
}

/** Record the outcome of an admitted call. Outcomes from before the last state change are ignored. */
export function recordOutcome (options: BreakerOptions, circuit: Circuit, permit: number, isSuccess: boolean, nowUs: number): void {
  if (permit !== circuit.generation) return
  if (circuit.state === 'half-open') return changeState(circuit, isSuccess ? 'closed' : 'open', nowUs)
  const { calls, failures } = circuit
  advanceSlices(options, circuit, nowUs)
  calls[circuit.slice % SLICES]++
  if (!isSuccess) failures[circuit.slice % SLICES]++
  const failed = sum(failures)
  if (!isSuccess && failed >= options.failures && failed * 2 >= sum(calls)) changeState(circuit, 'open', nowUs)
}

/** Drop the slices that are over. */
export function advanceSlices ({ withinMs }: BreakerOptions, circuit: Circuit, nowUs: number): void {
  const slice = Math.floor(nowUs / 1000 / (withinMs / SLICES))
  for (let passed = Math.min(slice - circuit.slice, SLICES); passed > 0; passed--) {
    const emptied = (slice - passed + 1) % SLICES
    circuit.calls[emptied] = 0
    circuit.failures[emptied] = 0
  }
  circuit.slice = slice
}

function changeState (circuit: Circuit, state: BreakerState, nowUs: number): void {
  circuit.state = state
  circuit.sinceUs = nowUs
  circuit.generation++
  circuit.calls.fill(0)
  circuit.failures.fill(0)
}

function sum (counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
