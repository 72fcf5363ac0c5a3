// Which decision of a request settles which limit.
import t from 'tap'
import type { Policy } from '../../lib/policies/policy.js'
import { settleDecisions } from '../../lib/request/settle.js'
import type { Standing } from '../../lib/stores/store.js'
import { createPolicy, createStanding } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'

const named = (...names: string[]) => names.map((name) => limitOf({ bucket: name }))

interface SettledDecision {
  readonly policy: Policy
  readonly previous: SettledDecision | null
  readonly settled: Array<Record<string, number>>
  readonly storeStandings: readonly Standing[]
  settleOwn (used: ReadonlyMap<string, number>): void | Promise<void>
}

interface DecisionParts {
  readonly policy?: Policy
  readonly previous?: SettledDecision | null
  readonly answer?: Promise<void>
}

/** A decision that has charged the limits of these names. */
function decide (charged: string[], { policy = createPolicy({ limits: named(...charged) }), previous = null, answer }: DecisionParts = {}): SettledDecision {
  const settled: Array<Record<string, number>> = []
  return {
    policy,
    previous,
    settled,
    storeStandings: named(...charged).map((limit) => createStanding(limit)),
    settleOwn (used) {
      settled.push(Object.fromEntries(used))
      return answer
    }
  }
}

t.test('each limit is settled by the last decision that charged it', async (t) => {
  const first = decide(['a', 'b'])
  const last = decide(['b', 'c'], { previous: first })
  t.equal(settleDecisions(last, { a: 1, b: 2, c: 3 }), undefined)
  t.strictSame(last.settled, [{ b: 2, c: 3 }])
  t.strictSame(first.settled, [{ a: 1 }])
})

t.test('a decision without a named limit is not asked', async (t) => {
  const first = decide(['a'])
  const last = decide(['b'], { previous: first })
  settleDecisions(last, { b: 1 })
  settleDecisions(last, { a: 1 })
  settleDecisions(last, {})
  t.strictSame([last.settled, first.settled], [[{ b: 1 }], [{ a: 1 }]])
})

t.test('fractions are rounded up, and 0 and the largest number are units', async (t) => {
  const last = decide(['a', 'b', 'c'])
  settleDecisions(last, { a: 0.1, b: 0, c: Number.MAX_SAFE_INTEGER })
  t.strictSame(last.settled, [{ a: 1, b: 0, c: Number.MAX_SAFE_INTEGER }])
})

t.test('a promise ends with all stores', async (t) => {
  const one = Promise.resolve()
  t.equal(settleDecisions(decide(['a'], { answer: one }), { a: 1 }), one)
  let ends = () => {}
  const slow = new Promise<void>((resolve) => { ends = resolve })
  let isOver = false
  const both = settleDecisions(decide(['a'], { answer: one, previous: decide(['b'], { answer: slow }) }), { a: 1, b: 1 })?.then((value) => {
    t.equal(value, undefined)
    isOver = true
  })
  await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(isOver, false)
  ends()
  await both
  t.equal(isOver, true)
})

const WRONG = [undefined, null, 'tokens', 5]
for (const used of WRONG) {
  t.test(`${String(used)} is not what was used`, async (t) => {
    t.throws(() => settleDecisions(decide(['a']), used as never), {
      code: 'FST_SLUICE_BAD_UNITS', message: `request.rateLimit.settle: expected an object of units by the names of limits, got ${String(used)}`
    })
  })
}

for (const units of [-1, NaN, Infinity, 2 ** 53, '1', null]) {
  t.test(`${String(units)} is no number of units, and nothing is settled`, async (t) => {
    const last = decide(['a', 'b'])
    t.throws(() => settleDecisions(last, { a: 1, b: units as never }), {
      code: 'FST_SLUICE_BAD_UNITS', message: `request.rateLimit.settle: b: expected a number of units, 0 or more, got ${String(units)}`
    })
    t.strictSame(last.settled, [])
  })
}

t.test('a name that no policy of the request has is an error, and nothing is settled', async (t) => {
  const last = decide(['b'], { previous: decide(['a']) })
  t.throws(() => settleDecisions(last, { b: 1, other: 1 }), { code: 'FST_SLUICE_UNKNOWN_LIMIT', message: /"other".*"b", "a"/ })
  const unlimited = decide(['a'], { policy: createPolicy({ limits: named('a'), tiers: new Map([['internal', null]]) }) })
  t.throws(() => settleDecisions(unlimited, { other: 1 }), { message: /^(?!.*undefined)/ })
  t.strictSame(last.settled, [])
})

t.test('limits of other tiers are known, and skipped', async (t) => {
  const parent = createPolicy({ limits: named('a'), tiers: new Map([['premium', createPolicy({ limits: named('b') })], ['internal', null]]) })
  const own = decide(['a'], { policy: parent })
  settleDecisions(own, { a: 1, b: 1 })
  t.strictSame(own.settled, [{ a: 1 }])
  const premium = decide(['b'], { policy: createPolicy({ limits: named('b'), parent }) })
  settleDecisions(premium, { a: 1, b: 1 })
  t.strictSame(premium.settled, [{ b: 1 }])
})
