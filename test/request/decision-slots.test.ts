// The slot that a decision holds, and who refuses where it gets none.
import t from 'tap'
import { SlotUsage } from '../../lib/concurrency/slot-usage.js'
import type { Concurrency } from '../../lib/policies/policy.js'
import type { Receipt, Standing } from '../../lib/stores/store.js'
import { ADDRESS, CorrectedStore, createDecisionOf, createPolicy, createReceipt, createSlotLimit, createStanding } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'
import { ManualClock } from '../fixtures/manual-clock.js'

const refused = { granted: false, charged: 0, remaining: 0, retryUs: 1_500_001 } as const

function withSlots (queue: Concurrency['queue'] = null) {
  const clock = new ManualClock()
  const limit = createSlotLimit()
  const usage = new SlotUsage('default', clock)
  const concurrency: Concurrency = { limit, scope: 'default', usage, queue }
  return { clock, limit, usage, policy: createPolicy({ concurrency }) }
}

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
