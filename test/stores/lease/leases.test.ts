// What clients see while answers arrive together: no leased unit is counted twice. The store is scripted by the test.
import t from 'tap'
import { limitOf } from '../../fixtures/limits.js'
import { FREE, PARTITION, ScriptedStore } from './scripted-store.js'

t.test('a renewal reports what was spent until it is sent', async (t) => {
  const store = new ScriptedStore()
  t.teardown(() => { store.end() })
  await store.askForLease()
  store.answer(store.standing(FREE, 1, 10), 2000)
  await Promise.resolve()
  let spent = 0
  for (; store.later.length === 0 && spent < 10; spent++) t.notOk(store.takeOne() instanceof Promise)
  t.ok(spent < 10, 'asked for before the units in hand are used up')
  store.takeOne()
  store.later[0].prepare?.()
  const reports = store.later[0].charges[0].lease?.reports ?? []
  t.equal(reports.reduce((sum, report) => sum + report.spent, 0), spent + 1)
})

t.test('a peek adds no lease that was granted after it', async (t) => {
  const store = new ScriptedStore()
  t.teardown(() => { store.end() })
  for (let i = 0; i < 7; i++) {
    const answer = store.takeOne()
    store.answer(store.standing(FREE, 1), 1000 + i)
    await answer
  }
  const peeked = store.leases.peek([store.limit], PARTITION)
  await Promise.resolve()
  await store.askForLease()
  store.resolvePeek([store.standing(FREE, 0)])
  // In the same turn: the store decided it after the peek.
  store.answer(store.standing(FREE - 11, 1, 10), 2000)
  t.equal((await peeked)[0].remaining, FREE)
})

t.test('a peek waits for a lease that is on its way, and adds it', async (t) => {
  const store = new ScriptedStore()
  t.teardown(() => { store.end() })
  await store.askForLease()
  const peeked = store.leases.peek([store.limit], PARTITION)
  t.ok(store.flushes > 0)
  store.answer(store.standing(FREE - 11, 1, 10), 2000)
  for (let i = 0; i < 10; i++) await Promise.resolve()
  store.resolvePeek([store.standing(FREE - 11, 0)])
  t.equal((await peeked)[0].remaining, FREE - 1)
})

t.test('an answer from before a lease, which arrives after it, counts none of its units', async (t) => {
  const store = new ScriptedStore()
  t.teardown(() => { store.end() })
  await store.askForLease()
  // Another bucket of the request is not known, so it does not wait.
  const other = limitOf({ max: 10, bucket: 'app/other' })
  store.clock.advance(10_001)
  const late = store.leases.take([{ limit: store.limit, partition: PARTITION, cost: 600 }, { limit: other, partition: PARTITION, cost: 1 }])
  store.clock.advance(10_001)
  const [asked] = store.asked.splice(0, 1)
  asked.resolve(store.receipt(store.standing(FREE - 11, 1, 10), 3000))
  for (let i = 0; i < 10; i++) await Promise.resolve()
  t.equal(store.asked.length, 1, 'it did not wait')
  store.asked.shift()?.resolve({
    granted: true, atUs: 2000, standings: [store.standing(FREE - 1, 1), { ...store.standing(9, 1), limit: other }], blocks: []
  })
  await late
  const answer = store.takeOne()
  if (answer instanceof Promise || !('standings' in answer)) throw new Error('not leased')
  t.ok(answer.standings[0].remaining <= FREE - 2, String(answer.standings[0].remaining))
})
