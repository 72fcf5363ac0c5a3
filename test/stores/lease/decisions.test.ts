// Which checks leases decide, which the store decides, and which wait. The store is scripted by the test.
import t, { type Test } from 'tap'
import type { LeaseStanding } from '../../../lib/stores/redis/wire-format.js'
import { isLeasedStanding } from '../../../lib/stores/lease/leased-standing.js'
import type { Answer, Block, Charge, Limit, Receipt } from '../../../lib/stores/store.js'
import { limitOf, penaltyWith } from '../../fixtures/limits.js'
import { until } from '../../fixtures/until.js'
import { createLeasedLimit, FREE, PARTITION, ScriptedStore } from './scripted-store.js'

const plain = limitOf({ bucket: 'app/plain' })
const chargeOf = (limit: Limit, cost = 1, strikes?: number): Charge => ({ limit, partition: PARTITION, cost, ...strikes === undefined ? {} : { strikes } })

function open (t: Test, ...settings: ConstructorParameters<typeof ScriptedStore>): ScriptedStore {
  const store = new ScriptedStore(...settings)
  t.teardown(() => { store.end() })
  return store
}

/** Answer the oldest check with a lease of so many units for each of its limits that asks for one. */
function answerAll (store: ScriptedStore, units: number, blocks: readonly Block[] = []): void {
  const [{ charges, resolve }] = store.asked.splice(0, 1)
  const standings = charges.map(({ limit, cost, lease }): LeaseStanding => ({ ...store.standing(FREE, cost, lease?.want ? units : 0), limit }))
  resolve({ granted: true, atUs: 5000, standings, blocks })
}

/** Make checks of these limits until all of them have units in hand. */
async function leaseAll (store: ScriptedStore, limits: readonly Limit[], units: number): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const answer = store.leases.take(limits.map((limit) => chargeOf(limit)))
    if (!(answer instanceof Promise)) return
    answerAll(store, units)
    await answer
  }
  throw new Error('never leased')
}

function receiptOf (answer: Answer | Promise<Answer>): Receipt {
  if (answer instanceof Promise || !('standings' in answer)) throw new Error('not decided in the same turn')
  return answer
}

const two = [createLeasedLimit({ bucket: 'app/one' }), createLeasedLimit({ bucket: 'app/other' })]

t.test('checks of limits that are not leased go to the store, uncounted', async (t) => {
  const store = open(t)
  store.leases.take([chargeOf(plain)])
  store.leases.take([chargeOf(plain), chargeOf(plain)])
  t.strictSame([store.asked.length, store.leases.counters.storeChecks], [2, 0])
  store.leases.take([chargeOf(plain), chargeOf(store.limit)])
  store.leases.take([chargeOf(store.limit)])
  t.strictSame([store.asked.length, store.leases.counters.storeChecks], [4, 2])
})

t.test('several limits are spent together, and renewed', async (t) => {
  const store = open(t)
  await leaseAll(store, two, 10)
  const before = { ...store.leases.counters }
  const { standings, atUs } = receiptOf(store.leases.take(two.map((limit) => chargeOf(limit, 2))))
  t.ok(standings.every(isLeasedStanding))
  t.match(standings, [{ limit: two[0], charged: 2, atUs }, { limit: two[1], charged: 2 }])
  t.equal(store.leases.counters.leasedChecks, before.leasedChecks + 1)
  t.strictSame([store.later.length, store.leases.counters.renewals], [0, 0])
  for (let i = 0; i < 3; i++) receiptOf(store.leases.take(two.map((limit) => chargeOf(limit, 2))))
  t.strictSame([store.later.map(({ charges: [{ limit }] }) => limit), store.leases.counters.renewals], [two, 2])
  t.ok(store.prepareLater().every(({ charges: [{ lease }] }) => lease !== undefined && lease.want > 0))
})

t.test('of several limits all are spent or none', async (t) => {
  const store = open(t)
  await leaseAll(store, two, 10)
  receiptOf(store.leases.take([chargeOf(two[1], 8)]))
  // It asks for more, and others would wait for that.
  store.later[0].resolve({ unavailable: 'deadline' })
  const answer = store.leases.take(two.map((limit) => chargeOf(limit, 2)))
  t.ok(answer instanceof Promise, 'the other one has a unit left')
  store.asked[0].resolve({ unavailable: 'deadline' })
  await answer
  receiptOf(store.leases.take([chargeOf(two[0], 9)]))
})

t.test('the store counts strikes, of one limit and of several', async (t) => {
  const store = open(t)
  await leaseAll(store, two, 10)
  t.ok(store.leases.take([chargeOf(two[0], 1, 2)]) instanceof Promise)
  t.ok(store.leases.take([chargeOf(two[0]), chargeOf(two[1], 1, 2)]) instanceof Promise)
  t.strictSame(store.asked.map(({ charges }) => charges.map(({ strikes }) => strikes)), [[2], [2]])
  t.strictSame([receiptOf(store.leases.take([chargeOf(two[0], 1, 0)])).granted, receiptOf(store.leases.take(two.map((limit) => chargeOf(limit, 1, 0)))).granted], [true, true])
})

t.test('a check waits for a lease that is on its way, at most 10 ms, and no more checks than may wait', async (t) => {
  for (const limits of [[createLeasedLimit()], two]) {
    const store = open(t, limits[0], 1)
    const take = () => store.leases.take(limits.map((limit) => chargeOf(limit)))
    for (let i = 0; i < 20 && !store.asked[0]?.charges.every(({ lease }) => lease?.want); i++) {
      if (store.asked.length > 0) answerAll(store, 0)
      await Promise.resolve()
      await Promise.resolve()
      take()
    }
    const { storeChecks } = store.leases.counters
    const waiting = take()
    t.strictSame([store.asked.length, store.leases.counters.storeChecks], [1, storeChecks], 'it waits')
    t.strictSame(take(), { unavailable: 'overload' })
    store.clock.advance(9999)
    answerAll(store, 0)
    await until('the store decides it', 5000, () => store.asked.length === 1)
    t.equal(store.leases.counters.storeChecks, storeChecks + 1)
    answerAll(store, 0)
    t.match(await waiting, { granted: true })
    t.ok(take() instanceof Promise, 'others may wait again')
  }
})

t.test('a check that waits for a lease of a bucket that is reset is decided by the store', async (t) => {
  const store = open(t)
  await store.askForLease()
  const waiting = store.takeOne()
  await store.leases.reset([store.limit], PARTITION)
  // So long that what was counted before makes no bucket busy.
  store.clock.advance(2_000_000)
  store.answer(store.standing(FREE, 1, 20), 2_001_000)
  await until('the store decides it', 5000, () => store.asked.length === 1)
  t.equal(store.asked[0].charges[0].lease, undefined)
  store.answer(store.standing(FREE, 1), 2_002_000)
  t.match(await waiting, { granted: true })
})

t.test('a check that has waited for 10 ms asks the store, also while another one asks for a lease', async (t) => {
  for (const [waitedUs, asked] of [[9999, 1], [10_000, 2]]) {
    const store = open(t)
    await store.askForLease()
    const waiting = [1, 2].map(() => store.leases.take([chargeOf(store.limit, 5)]))
    store.clock.advance(waitedUs)
    // Too few for either of them. The first one asks for more.
    store.answer(store.standing(FREE, 1, 2), 3000)
    for (let i = 0; i < 10; i++) await Promise.resolve()
    t.equal(store.asked.length, asked)
    while (store.asked.length > 0) {
      answerAll(store, 0)
      for (let i = 0; i < 10; i++) await Promise.resolve()
    }
    await Promise.all(waiting)
  }
})

t.test('a check whose bucket is reset while it waits asks the store', async (t) => {
  const store = open(t)
  await store.askForLease()
  const waiting = store.takeOne()
  await store.leases.reset([store.limit], PARTITION)
  answerAll(store, 0)
  await until('the store is asked', 5000, () => store.asked.length === 1)
  answerAll(store, 0)
  t.match(await waiting, { granted: true })
})

t.test('a check does not wait for a limit that it can pay for', async (t) => {
  const store = open(t)
  await leaseAll(store, two, 10)
  receiptOf(store.leases.take([chargeOf(two[1], 8)]))
  store.later[0].resolve({ unavailable: 'deadline' })
  receiptOf(store.leases.take([chargeOf(two[0], 7)]))
  t.equal(store.later.length, 2, 'more is asked for, and two are left')
  store.leases.take([chargeOf(two[0], 2), chargeOf(two[1], 2)])
  t.strictSame(store.asked.map(({ charges }) => charges.map(({ limit }) => limit)), [[two[1]]])
})

t.test('units in hand are reserved for a request that has a limit without leases', async (t) => {
  const store = open(t)
  await leaseAll(store, [store.limit], 10)
  const answer = store.leases.take([chargeOf(store.limit, 3), chargeOf(plain)])
  t.strictSame(store.asked.map(({ charges }) => charges.map(({ limit }) => limit)), [[plain]])
  answerAll(store, 0)
  t.match(await answer, { standings: [{ charged: 3 }, { limit: plain }] })
})

t.test('a refund that the lease took needs no call', async (t) => {
  const store = open(t)
  await leaseAll(store, [store.limit], 20)
  const { atUs, standings: [standing] } = receiptOf(store.leases.take([chargeOf(store.limit, 3)]))
  await store.leases.adjust([{ standing, atUs, units: -2 }, { standing, atUs, units: 4 }, { standing, atUs, units: 0 }])
  t.strictSame(store.adjusted, [])
  await store.leases.adjust([])
  t.strictSame(store.adjusted, [])
})

t.test('what the lease cannot take is corrected in the store', async (t) => {
  const store = open(t)
  await leaseAll(store, [store.limit], 20)
  const { atUs, standings: [standing] } = receiptOf(store.leases.take([chargeOf(store.limit, 3)]))
  const other = { standing: store.standing(FREE, 1), atUs: 7, units: -1 }
  await store.leases.adjust([{ standing, atUs, units: 20 }, other])
  t.match(store.adjusted, [[{ units: 4, atUs, standing: { charged: 3 } }, other]])
  t.equal(store.adjusted[0][1], other)
  store.clock.advance(2_000_000)
  await store.leases.adjust([{ standing, atUs, units: -3 }])
  t.match(store.adjusted[1], [{ units: -3, standing: { resetUs: isLeasedStanding(standing) ? standing.drainedUs : null } }])
})

t.test('a block that a check without leases meets ends the leases under its penalty', async (t) => {
  const penalty = penaltyWith()
  const [penal, other] = [createLeasedLimit({ bucket: 'app/penal', penalty }), limitOf({ bucket: 'app/other', penalty })]
  const store = open(t)
  const blocks = [{ partition: PARTITION, blockedUs: 1000, began: true }]
  const takeBlocked = async (limits: readonly Limit[]) => {
    const answer = store.leases.take(limits.map((limit) => chargeOf(limit)))
    answerAll(store, 0, blocks)
    await answer
  }
  await leaseAll(store, [penal], 20)
  await takeBlocked([plain])
  t.ok(receiptOf(store.leases.take([chargeOf(penal)])).granted, 'a limit without a penalty says nothing of it')
  await takeBlocked([plain, other])
  t.ok(store.leases.take([chargeOf(penal)]) instanceof Promise)
})

t.test('an answer of the store is passed on as it is', async (t) => {
  const store = open(t, createLeasedLimit({ penalty: penaltyWith() }))
  const failure: Answer = { unavailable: 'breaker' }
  Object.assign(store, { take: () => failure })
  t.equal(store.leases.take([chargeOf(plain)]), failure)
  // Also once a limit with a penalty is known.
  for (let i = 0; i < 3; i++) t.equal(store.takeOne(), failure)
  t.equal(store.leases.take([chargeOf({ ...plain, penalty: penaltyWith() })]), failure)
})

t.test('a bucket that is not busy any more is decided as without leases', async (t) => {
  const store = open(t)
  await store.askForLease()
  store.answer(store.standing(FREE, 1), 2000)
  await Promise.resolve()
  store.clock.advance(60_000_000)
  const { storeChecks } = store.leases.counters
  const answer = store.takeOne()
  t.strictSame([store.asked.length, store.asked[0].charges[0].lease, store.leases.counters.storeChecks], [1, undefined, storeChecks + 1])
  store.answer(store.standing(FREE, 1), 3000)
  await answer
  store.leases.take([chargeOf(store.limit), chargeOf(plain)])
  t.match(store.asked[0].charges[0].lease, { want: 0 }, 'with other limits it is asked as before, and counts')
})

t.test('units of an ended window are given back within a second, and those of a token bucket drain', async (t) => {
  const window = createLeasedLimit({ algorithm: 'fixed-window', bucket: 'app/window' })
  const store = open(t)
  for (const limit of [window, store.limit]) await leaseAll(store, [limit], 20)
  store.clock.advance(2_000_000)
  await until('the timer', 5000, () => store.later.length > 0)
  t.match(store.prepareLater(), { length: 1, 0: { charges: [{ limit: window, cost: 0, lease: { want: 0, reports: [{ returned: 0 }, { spent: 0, returned: 19 }] } }] } })
})

t.test('a bucket without leases has nothing to wait for, or to give back', async (t) => {
  const store = open(t)
  await store.askForLease()
  answerAll(store, 0)
  await Promise.resolve()
  const peeked = store.leases.peek([store.limit], PARTITION)
  await Promise.resolve()
  store.resolvePeek([store.standing(FREE, 0)])
  await peeked
  t.equal(store.flushes, 0)
  store.leases.endLeases()
  for (let i = 0; i < 10; i++) await Promise.resolve()
  t.equal(store.later.length, 0)
})

t.test('units in hand are given back when the limits are replaced', async (t) => {
  const store = open(t)
  await leaseAll(store, [store.limit], 10)
  store.leases.endLeases()
  await until('the report', 5000, () => store.later.length === 1)
  t.match(store.prepareLater()[0].charges, [{ limit: store.limit, cost: 0, lease: { want: 0, reports: [{}, { spent: 1, returned: 9 }] } }])
  t.ok(store.takeOne() instanceof Promise, 'none are left')
})

t.test('whether it responds is a question to the store', async (t) => {
  const store = open(t)
  await store.leases.ping()
  Object.assign(store, { async ping () { throw new Error('gone') } })
  await t.rejects(store.leases.ping(), { message: 'gone' })
})

t.test('a store without connections needs no end', async (t) => {
  const store = new ScriptedStore()
  await store.leases.close()
  let isClosed = false
  const closing = new ScriptedStore()
  Object.assign(closing, { async close () { isClosed = true } })
  await closing.leases.close()
  t.equal(isClosed, true)
})
