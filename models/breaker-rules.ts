import { admitCall, advanceSlices, recordOutcome, type BreakerOptions, type Circuit } from '../lib/algorithms/breaker.js'

/** What decides in the model: the functions of the breaker, and the rules of the guard of a call. */
export interface Rules {
  readonly admit: typeof admitCall
  readonly record: typeof recordOutcome
  readonly advance: typeof advanceSlices
  /** Whether the deadline of a call is recorded as its failure. */
  readonly recordsDeadline: boolean
  /** Whether a result after the deadline is recorded, too. */
  readonly recordsLate: boolean
}

export const RULES: Rules = { admit: admitCall, record: recordOutcome, advance: advanceSlices, recordsDeadline: true, recordsLate: false }

/** Record an outcome, then change what the circuit remembers. `before` is the circuit before it. */
function thenChange (change: (circuit: Circuit, before: Circuit) => void): Pick<Rules, 'record'> {
  return {
    record: (options, circuit, permit, isSuccess, nowUs) => {
      const before = copyCircuit(circuit)
      recordOutcome(options, circuit, permit, isSuccess, nowUs)
      change(circuit, before)
    }
  }
}

/** As if a change of the state kept what was counted. */
function restoreCounts (circuit: Circuit, { state, calls, failures }: Circuit): void {
  if (circuit.state === state) return
  circuit.calls.splice(0, calls.length, ...calls)
  circuit.failures.splice(0, failures.length, ...failures)
}

export function copyCircuit (circuit: Circuit): Circuit {
  return { ...circuit, calls: [...circuit.calls], failures: [...circuit.failures] }
}

/** Rules that break the bound. Each replaces one rule. */
export const WRONG_RULES = {
  'it opens a failure too early': {
    record: (options, circuit, permit, isSuccess, nowUs) => {
      recordOutcome({ ...options, failures: options.failures - 1 }, circuit, permit, isSuccess, nowUs)
    }
  },
  'it opens a failure too late': {
    record: (options, circuit, permit, isSuccess, nowUs) => {
      recordOutcome({ ...options, failures: options.failures + 1 }, circuit, permit, isSuccess, nowUs)
    }
  },
  'successes are not counted': {
    record: (options, circuit, permit, isSuccess, nowUs) => {
      if (!isSuccess || circuit.state === 'half-open') recordOutcome(options, circuit, permit, isSuccess, nowUs)
    }
  },
  'a success forgets all failures': {
    record: (options, circuit, permit, isSuccess, nowUs) => {
      recordOutcome(options, circuit, permit, isSuccess, nowUs)
      if (isSuccess) circuit.failures.fill(0)
    }
  },
  'old failures are never dropped': {
    advance: (_options, circuit) => { circuit.slice = Infinity }
  },
  'all failures are dropped with each tick': {
    advance: (options, circuit, nowUs) => {
      advanceSlices(options, circuit, nowUs)
      circuit.failures.fill(0)
    }
  },
  'the failures of before are counted after it closes': {
    ...thenChange(restoreCounts),
    admit: (options, circuit, nowUs) => {
      const before = copyCircuit(circuit)
      const permit = admitCall(options, circuit, nowUs)
      restoreCounts(circuit, before)
      return permit
    }
  },
  'calls are made while it is open': {
    admit: (options, circuit, nowUs) => admitCall(options, circuit, nowUs) ?? (circuit.state === 'open' ? circuit.generation : null)
  },
  'it is open for a tick less': {
    admit: (options, circuit, nowUs) => admitCall({ ...options, openForMs: options.openForMs - 10 }, circuit, nowUs)
  },
  'it is open for a tick more': {
    admit: (options, circuit, nowUs) => admitCall({ ...options, openForMs: options.openForMs + 10 }, circuit, nowUs)
  },
  'a refused call begins its time again': {
    admit: (options, circuit, nowUs) => {
      const permit = admitCall(options, circuit, nowUs)
      if (permit === null && circuit.state === 'open') circuit.sinceUs = nowUs
      return permit
    }
  },
  'more than one probe': {
    admit: (options, circuit, nowUs) => admitCall(options, circuit, nowUs) ?? (circuit.state === 'half-open' ? circuit.generation : null)
  },
  'a failed probe leaves it half-open': thenChange((circuit, before) => {
    if (before.state === 'half-open' && circuit.state === 'open') Object.assign(circuit, before)
  }),
  'a failed probe closes it': {
    record: (options, circuit, permit, isSuccess, nowUs) => {
      recordOutcome(options, circuit, permit, isSuccess || circuit.state === 'half-open', nowUs)
    }
  },
  'a probe that succeeds is not believed': {
    record: (options, circuit, permit, isSuccess, nowUs) => {
      recordOutcome(options, circuit, permit, isSuccess && circuit.state !== 'half-open', nowUs)
    }
  },
  'outcomes of an earlier state count': {
    record: (options, circuit, _permit, isSuccess, nowUs) => { recordOutcome(options, circuit, circuit.generation, isSuccess, nowUs) }
  },
  'a state has the permits of the one before': thenChange((circuit, before) => { circuit.generation = before.generation }),
  'a call without a result is no failure': { recordsDeadline: false },
  'a result after the deadline counts, too': { recordsLate: true }
} satisfies Readonly<Record<string, Partial<Rules>>>

export type WrongRule = keyof typeof WRONG_RULES

/** The options of the breaker in milliseconds. A tick is 10 of them. */
export function toBreakerOptions (failures: number, withinTicks: number, openForTicks: number): BreakerOptions {
  return { failures, withinMs: 10 * withinTicks, openForMs: 10 * openForTicks }
}
