// Every order of events of a few processes that lease units of one bucket. See models/leases.ts for the bound.
import t from 'tap'
import { CASES, CAUGHT_IN, exploreLeases, LARGE_CASES, TIGHT_CASES } from '../../models/lease-cases.js'
import { WRONG_RULES, type WrongRule } from '../../models/lease-rules.js'
import { isFullLane } from '../fixtures/lane.js'

const cases = Object.entries(isFullLane ? { ...CASES, ...LARGE_CASES } : CASES)

for (const [name, options] of cases) {
  t.test(`leases keep the bound: ${name}`, async (t) => {
    const { states, slack, trace, steps } = exploreLeases(options)
    t.strictSame(trace, null)
    t.equal(slack, 0, 'the bound is reached, so the model is not idle')
    t.ok(states > 1500, `${states} states`)
    for (const step of ['a node spends', 'a node reports', 'a node crashes', 'an exact take', 'Redis leases 1']) {
      t.ok((steps.get(step) ?? 0) > 0, step)
    }
  })
}

for (const [name, options] of Object.entries(TIGHT_CASES)) {
  t.test(`the bound after a loss is not too large: ${name}`, async (t) => {
    t.ok(exploreLeases(options).trace !== null)
  })
}

for (const wrong of Object.keys(WRONG_RULES) as WrongRule[]) {
  t.test(`a wrong rule breaks the bound: ${wrong}`, async (t) => {
    const { trace } = exploreLeases(CASES[CAUGHT_IN[wrong]], wrong)
    t.ok(trace !== null && trace.length > 3, 'a violation is found')
    t.comment(trace?.join(' > '))
  })
}
