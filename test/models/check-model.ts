import t from 'tap'
import type { Exploration } from '../../models/explore.js'
import { isFullLane } from '../fixtures/lane.js'

/** The cases of a model, as models/*-cases.ts export them. */
interface ModelCases<Options, Wrong extends string, Name extends string> {
  readonly CASES: Readonly<Record<Name, Options>>
  readonly LARGE_CASES: Readonly<Record<string, Options>>
  /** Cases with a bound that is too sharp. */
  readonly TIGHT_CASES?: Readonly<Record<string, Options>>
  readonly CAUGHT_IN: Readonly<Record<Wrong, Name>>
  readonly exploreCase: (options: Options, wrong?: Wrong) => Exploration
}

interface Expectation<Options> {
  /** Steps that must be taken in each case. */
  readonly steps: readonly string[]
  /** Whether the bound is reached in a case. Default: in each. */
  readonly isReached?: (options: Options) => boolean
}

/** Check that a model holds its bound in each case, that it is not idle, and that each wrong rule breaks the bound. */
export function checkModel<Options, Wrong extends string, Name extends string> (
  { CASES, LARGE_CASES, TIGHT_CASES = {}, CAUGHT_IN, exploreCase }: ModelCases<Options, Wrong, Name>, { steps, isReached }: Expectation<Options>
): void {
  for (const [name, options] of Object.entries<Options>(isFullLane ? { ...CASES, ...LARGE_CASES } : CASES)) {
    t.test(`all states hold the bound: ${name}`, async (t) => {
      const { slack, trace, steps: taken } = exploreCase(options)
      t.strictSame(trace, null)
      if (isReached?.(options) ?? true) t.equal(slack, 0, 'the bound is reached, so the model is not idle')
      t.strictSame(steps.filter((step) => !taken.has(step)), [], 'steps that are never taken')
    })
  }

  for (const [name, options] of Object.entries<Options>(TIGHT_CASES)) {
    t.test(`the bound is not too large: ${name}`, async (t) => {
      t.not(exploreCase(options).trace, null)
    })
  }

  for (const [wrong, name] of Object.entries(CAUGHT_IN) as Array<[Wrong, Name]>) {
    t.test(`a wrong rule breaks the bound: ${wrong}`, async (t) => {
      const { trace } = exploreCase(CASES[name], wrong)
      t.ok(trace !== null && trace.length > 1, 'a violation is found')
      t.comment(trace?.join(' > '))
    })
  }
}
