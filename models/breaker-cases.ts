import { createBreakerModel, type BreakerModelOptions } from './breaker.js'
import { RULES, WRONG_RULES, type WrongRule } from './breaker-rules.js'
import { explore, type Exploration } from './explore.js'

const MAX_STATES = 200_000

const SMALL: BreakerModelOptions = { failures: 2, withinTicks: 2, openForTicks: 2, deadlineTicks: 1, calls: 2, outcomes: 4 }

/** Small enough for each run of the tests. */
export const CASES = {
  'two failures': SMALL,
  'one failure': { ...SMALL, failures: 1 },
  'three failures': { ...SMALL, failures: 3, outcomes: 6 },
  'a long deadline': { ...SMALL, deadlineTicks: 3 },
  'three calls at once': { ...SMALL, calls: 3 },
  'failures are counted for long': { ...SMALL, withinTicks: 5 },
  'open for long': { ...SMALL, openForTicks: 5 }
} satisfies Readonly<Record<string, BreakerModelOptions>>

export type Case = keyof typeof CASES

/** For the full lane: up to fifty thousand states each. */
export const LARGE_CASES = {
  'four calls at once': { ...SMALL, calls: 4, deadlineTicks: 2, outcomes: 6 },
  'five failures': { ...SMALL, failures: 5, calls: 3, outcomes: 9 },
  'each slice by itself': { ...SMALL, withinTicks: 10, outcomes: 4 }
} satisfies Readonly<Record<string, BreakerModelOptions>>

/** In which of the cases each wrong variant breaks the bound or a rule. */
export const CAUGHT_IN: Readonly<Record<WrongRule, Case>> = {
  'it opens a failure too early': 'two failures',
  'it opens a failure too late': 'two failures',
  'successes are not counted': 'one failure',
  'a success forgets all failures': 'two failures',
  'old failures are never dropped': 'two failures',
  'all failures are dropped with each tick': 'two failures',
  'the failures of before are counted after it closes': 'failures are counted for long',
  'calls are made while it is open': 'two failures',
  'it is open for a tick less': 'two failures',
  'it is open for a tick more': 'two failures',
  'a refused call begins its time again': 'open for long',
  'more than one probe': 'two failures',
  'a failed probe leaves it half-open': 'two failures',
  'a failed probe closes it': 'two failures',
  'a probe that succeeds is not believed': 'two failures',
  'outcomes of an earlier state count': 'a long deadline',
  'a state has the permits of the one before': 'three calls at once',
  'a call without a result is no failure': 'two failures',
  'a result after the deadline counts, too': 'three calls at once'
}

export function exploreCase (options: BreakerModelOptions, wrong?: WrongRule): Exploration {
  return explore(createBreakerModel(options, wrong === undefined ? RULES : { ...RULES, ...WRONG_RULES[wrong] }), MAX_STATES)
}
