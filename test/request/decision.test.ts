// A decision without an application: what it says of a receipt, and what it corrects in the store.
import t from 'tap'
import { findDecision } from '../../lib/request/decision.js'
import { ADDRESS, CorrectedStore, createDecisionOf, createPolicy, createReceipt, createStanding, IP_CLIENT } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'

const HOUR = limitOf({ bucket: 'hour', max: 100 })
const refused = { granted: false, charged: 0, remaining: 0, retryUs: 1_500_001 } as const

t.test('a granted request has the numbers of the limit that binds', async (t) => {
  const decision = createDecisionOf(createReceipt([createStanding(HOUR, { remaining: 99 }), createStanding(limitOf(), { resetUs: 1_000_001 })]))
  t.match(decision, {
    outcome: 'allowed',
    client: IP_CLIENT,
    limitName: 'app/default',
    limit: 10,
    remaining: 9,
    resetAfterMs: 1001,
    retryAfterMs: 0,
    delayUs: 0,
    isRefused: false,
    beganBlock: false,
    hasSlot: false,
    refusingConcurrency: null
  })
  t.strictSame(decision.standings.map(({ name }) => name), ['hour', 'app/default'])
})

t.test('a refused request has the wait of the limit that binds', async (t) => {
  const decision = createDecisionOf(createReceipt([createStanding(limitOf(), refused), createStanding(HOUR, { charged: 0 })]))
  t.match(decision, { outcome: 'rejected', limitName: 'app/default', remaining: 0, retryAfterMs: 1501, isRefused: true, beganBlock: false })
})

const blocks: ReadonlyArray<readonly [blockedUs: number[], retryUs: number | 'never', retryAfterMs: number | 'never']> = [
  [[3_000_001, 2_000_000], 1000, 3001],
  [[2_000_000, 3_000_000], 1000, 3000],
  [[1000], 2_000_000, 2000],
  [[1000], 'never', 'never']
]
for (const [blockedUs, retryUs, retryAfterMs] of blocks) {
  t.test(`blocks of ${blockedUs.join(' and ')} µs, and a limit that waits ${retryUs}: ${retryAfterMs}`, async (t) => {
    const receipt = createReceipt([createStanding(limitOf(), { ...refused, retryUs })], {
      blocks: blockedUs.map((us, i) => ({ partition: ADDRESS, blockedUs: us, began: i > 0 }))
    })
    t.match(createDecisionOf(receipt), { outcome: 'blocked', retryAfterMs, isRefused: true, beganBlock: blockedUs.length > 1 })
  })
}

t.test('without a receipt all numbers are 0, and nothing is corrected', async (t) => {
  const store = new CorrectedStore()
  for (const outcome of ['exempt', 'unavailable'] as const) {
    const decision = createDecisionOf(outcome, { store })
    t.match(decision, { outcome, limitName: '', limit: 0, remaining: 0, resetAfterMs: 0, retryAfterMs: 0, isRefused: false, beganBlock: false, standings: [] })
    decision.delayBy(1000)
    t.match(decision, { outcome, delayUs: 0 })
    t.equal(decision.refuseBy(() => true, 1), decision)
    for (const correct of [() => decision.charge(1), () => decision.refund(1), () => decision.refundAll(), () => decision.release()]) t.equal(correct(), undefined)
  }
  t.strictSame(store.calls, [])
})

const modes = [['closed', true, true], ['closed', false, false], ['open', true, false], ['local', true, false]] as const
for (const [failureMode, isEnforced, isRefused] of modes) {
  t.test(`without a store, ${failureMode} ${isRefused ? 'refuses' : 'does not refuse'}, ${isEnforced ? '' : 'not '}enforced`, async (t) => {
    t.equal(createDecisionOf('unavailable', { policy: createPolicy({ failureMode, isEnforced }) }).isRefused, isRefused)
    t.equal(createDecisionOf('exempt', { policy: createPolicy({ failureMode, isEnforced }) }).isRefused, false)
  })
}

t.test('a delayed request is reset from the end of its delay', async (t) => {
  const decision = createDecisionOf(createReceipt([createStanding(limitOf(), { resetUs: 5_000_000, delayUs: 1_200_000 })]))
  decision.delayBy(1_200_000)
  t.match(decision, { outcome: 'delayed', delayUs: 1_200_000, resetAfterMs: 3800, isRefused: false })
  t.equal(decision.standings[0].resetAfterMs, 3800)
})

t.test('corrections change what is left, and are those of the receipt', async (t) => {
  const store = new CorrectedStore()
  const decision = createDecisionOf(createReceipt(), { store })
  decision.charge(2)
  t.equal(decision.remaining, 7)
  t.equal(decision.standings[0].remaining, 7)
  decision.refund(1)
  decision.refund(1)
  t.equal(decision.remaining, 8)
  decision.settle({ 'app/default': 5 })
  decision.refundAll()
  t.strictSame(store.units, [{ 'app/default': 2 }, { 'app/default': -1 }, { 'app/default': 5 }])
  t.equal(decision.remaining, 3)
})

t.test('each way to give back', async (t) => {
  const ways: ReadonlyArray<readonly [name: 'refundAll' | 'leaveQueue' | 'refundUnsettled', onlyIfLast: boolean]> = [['refundAll', false], ['leaveQueue', true], ['refundUnsettled', false]]
  for (const [name, onlyIfLast] of ways) {
    const done = Promise.resolve()
    const store = new CorrectedStore(done)
    const decision = createDecisionOf(createReceipt([createStanding(limitOf(), { charged: 3, remaining: 7 })]), { store })
    t.equal(name === 'refundUnsettled' ? decision[name](new Set(['app/default'])) : decision[name](), done, name)
    t.strictSame(store.units, [{ 'app/default': -3 }])
    t.equal(store.calls[0][0].onlyIfLast === true, onlyIfLast)
    t.equal(decision.remaining, 10)
  }
})

t.test('a request that was refused too late is charged its cost', async (t) => {
  const store = new CorrectedStore()
  const policy = createPolicy({ limits: [limitOf(), HOUR] })
  createDecisionOf(createReceipt([createStanding(limitOf(), refused), createStanding(HOUR)]), { store, policy }).chargeCost([2, 5])
  t.strictSame(store.units, [{ 'app/default': 2, hour: 5 }])
})

t.test('a charge of a request that took nothing is one of the decision before it', async (t) => {
  const store = new CorrectedStore()
  const previous = createDecisionOf(createReceipt(), { store })
  createDecisionOf('exempt', { previous }).charge(3)
  t.strictSame(store.units, [{ 'app/default': 3 }])
})

for (const units of [0, -1, 1.5, NaN, Infinity]) {
  t.test(`${units} units are not charged and not refunded`, async (t) => {
    const decision = createDecisionOf(createReceipt())
    for (const call of ['charge', 'refund'] as const) {
      t.throws(() => decision[call](units), {
        code: 'FST_SLUICE_BAD_UNITS', message: `request.rateLimit.${call}: expected a whole number of units, 1 or more, got ${units}`
      })
    }
  })
}

t.test('a policy has decided a request if it, its tier, or an earlier decision was it', async (t) => {
  const parent = createPolicy()
  const tier = createPolicy({ parent })
  const other = createPolicy()
  const previous = createDecisionOf(createReceipt(), { policy: tier })
  t.equal(previous.hasUsedPolicy(tier), true)
  t.equal(previous.hasUsedPolicy(parent), true)
  t.equal(previous.hasUsedPolicy(other), false)
  const last = createDecisionOf('exempt', { policy: other, previous })
  t.strictSame([parent, tier, other].map((policy) => last.hasUsedPolicy(policy)), [true, true, true])
})

t.test('a request has the decision of this copy of the plugin only', async (t) => {
  const decision = createDecisionOf(createReceipt())
  t.equal(findDecision({ rateLimit: decision } as never), decision)
  t.equal(findDecision({ rateLimit: { outcome: 'allowed' } } as never), null)
  t.equal(findDecision({ rateLimit: null } as never), null)
})

t.test('some limits can be made to refuse', async (t) => {
  const previous = createDecisionOf('exempt')
  const standings = [createStanding(limitOf()), createStanding(HOUR, { remaining: 50 })]
  const policy = createPolicy()
  const decision = createDecisionOf(createReceipt(standings), { policy, previous }).refuseBy(({ limit }) => limit === HOUR, 2_000_000)
  t.match(decision, { outcome: 'rejected', limitName: 'hour', remaining: 0, retryAfterMs: 2000, previous, policy, client: IP_CLIENT })
  t.strictSame(decision.standings.map(({ isExceeded, remaining }) => [isExceeded, remaining]), [[false, 9], [true, 0]])
})
