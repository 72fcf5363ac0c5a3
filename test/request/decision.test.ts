// A decision without an application: what it says of a receipt, and what it corrects in the store.
import t from 'tap'
import { SlotUsage } from '../../lib/concurrency/slot-usage.js'
import type { Concurrency } from '../../lib/policies/policy.js'
import { findDecision } from '../../lib/request/decision.js'
import type { Receipt, Standing } from '../../lib/stores/store.js'
import { ADDRESS, CorrectedStore, createDecisionOf, createPolicy, createReceipt, createSlotLimit, createStanding, IP_CLIENT } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'
import { ManualClock } from '../fixtures/manual-clock.js'

const HOUR = limitOf({ bucket: 'hour', max: 100 })
const refused = { granted: false, charged: 0, remaining: 0, retryUs: 1_500_001 } as const

function withSlots (queue: Concurrency['queue'] = null) {
  const clock = new ManualClock()
  const limit = createSlotLimit()
  const usage = new SlotUsage('default', clock)
  const concurrency: Concurrency = { limit, scope: 'default', usage, queue }
  return { clock, limit, usage, policy: createPolicy({ concurrency }) }
}

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

function receiveSlot (limit: Standing['limit'], fields: Partial<Standing> = {}, rate: Partial<Standing> = {}, more: Partial<Receipt> = {}): Receipt {
  return createReceipt([createStanding(limitOf(), rate), createStanding(limit, { remaining: 1, ...fields })], more)
}

t.test('a slot is held until it is released, once', async (t) => {
  const { clock, limit, usage, policy } = withSlots()
  const done = Promise.resolve()
  const store = new CorrectedStore(done)
  const decision = createDecisionOf(receiveSlot(limit, { atUs: 77 }), { policy, store })
  t.equal(decision.hasSlot, true)
  t.equal(usage.inFlight, 1)
  clock.advance(30_000)
  t.equal(decision.release(), done)
  t.match(store.calls, [[{ standing: { limit }, atUs: 77, units: -1 }]])
  t.equal(usage.inFlight, 0)
  t.equal(decision.hasSlot, false)
  t.equal(decision.release(), undefined)
  t.equal(store.calls.length, 1)
  // The mean is that of this slot, and up to half as much again.
  const retryMs = usage.estimateRetryMs()
  t.ok(retryMs >= 30 && retryMs <= 45, `${retryMs} ms`)
})

t.test('a slot that its holder releases had the time of the work', async (t) => {
  const { limit, usage, policy } = withSlots()
  const wholes: boolean[] = []
  usage.end = (_, isWhole) => { wholes.push(isWhole) }
  for (const release of ['release', 'releaseAfter'] as const) createDecisionOf(receiveSlot(limit), { policy })[release](false)
  t.strictSame(wholes, [true, false])
})

t.test('without a time of its own, a slot has that of the receipt', async (t) => {
  const { limit, policy } = withSlots()
  const store = new CorrectedStore()
  createDecisionOf(receiveSlot(limit), { policy, store })[Symbol.dispose]()
  await createDecisionOf(receiveSlot(limit), { policy, store })[Symbol.asyncDispose]()
  t.strictSame(store.calls.map(([{ atUs, units }]) => [atUs, units]), [[1000, -1], [1000, -1]])
})

t.test('a slot that was not charged is not held', async (t) => {
  const { limit, usage, policy } = withSlots()
  const store = new CorrectedStore()
  const decision = createDecisionOf(receiveSlot(limit, { charged: 0 }), { policy, store })
  t.equal(decision.hasSlot, false)
  t.equal(usage.inFlight, 0)
  decision.release()
  t.strictSame(store.calls, [])
})

t.test('whose slot a request holds', async (t) => {
  const { limit, policy } = withSlots()
  const previous = createDecisionOf(receiveSlot(limit), { policy })
  const last = createDecisionOf('exempt', { previous })
  for (const decision of [previous, last]) {
    t.equal(decision.holdsSlot({ ...limit }, ADDRESS), true)
    t.equal(decision.holdsSlot(limit, 'user:42'), false)
    t.equal(decision.holdsSlot({ ...limit, bucket: 'other' }, ADDRESS), false)
  }
  previous.release()
  t.equal(last.holdsSlot(limit, ADDRESS), false)
  t.equal(createDecisionOf('exempt').holdsSlot(limit, ADDRESS), false)
})

const noSlot = { granted: false, charged: 0, remaining: 0 }
const onlySlot: ReadonlyArray<readonly [isRefusing: boolean, receipt: (limit: Standing['limit']) => Receipt, why: string]> = [
  [true, (limit) => receiveSlot(limit, noSlot, { charged: 0 }), 'the rates grant'],
  [false, (limit) => receiveSlot(limit, noSlot, refused), 'a rate refuses too'],
  [true, (limit) => {
    const standings = [createStanding(limitOf({ mode: 'shadow' }), { ...refused, granted: false }), createStanding(limit, noSlot)]
    return createReceipt(standings)
  }, 'a rate in shadow mode refuses'],
  [false, (limit) => receiveSlot({ ...limit, mode: 'shadow' }, noSlot), 'the slot is in shadow mode'],
  [false, (limit) => receiveSlot(limit, noSlot, { charged: 0 }, { blocks: [{ partition: ADDRESS, blockedUs: 1000, began: false }] }), 'a block refuses'],
  [false, (limit) => receiveSlot(limit), 'there is a slot'],
  [false, () => createReceipt(), 'the request takes no slot']
]
for (const [isRefusing, toReceipt, why] of onlySlot) {
  t.test(`${isRefusing ? 'only a missing slot refuses' : 'not only a missing slot refuses'}: ${why}`, async (t) => {
    const { limit, policy } = withSlots()
    const { refusingConcurrency, limitName, outcome, retryAfterMs } = createDecisionOf(toReceipt(limit), { policy })
    t.equal(refusingConcurrency, isRefusing ? policy.concurrency : null)
    if (!isRefusing) return
    t.match({ limitName, outcome }, { limitName: 'concurrency', outcome: 'rejected' })
    // The mean before the first slot is a second.
    t.ok(retryAfterMs !== 'never' && retryAfterMs >= 1000 && retryAfterMs <= 1500, String(retryAfterMs))
  })
}

t.test('a released slot wakes the first request that waits', async (t) => {
  const { limit, usage, policy } = withSlots()
  const decision = createDecisionOf(receiveSlot(limit), { policy })
  const place = usage.enterLine(ADDRESS, { maxWaiting: 1, maxWaitMs: 10_000 })
  const turn = place?.nextTurn()
  decision.release()
  t.equal(await turn, true)
  place?.leave()
})
