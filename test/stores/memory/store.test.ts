// The parts of a store in memory that no contract of all stores covers.
import t from 'tap'
import { createQuota } from '../../../lib/algorithms/quota.js'
import { createMemoryStore } from '../../../lib/stores/memory/store.js'
import type { Limit, Receipt, Standing } from '../../../lib/stores/store.js'
import { limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { until } from '../../fixtures/until.js'

const PARTITION = 'user:1'
const SLOTS: Limit = { ...limitOf({ bucket: 'slots' }), ...createQuota('concurrency', 10, 1) }

function open () {
  const clock = new ManualClock()
  const store = createMemoryStore({ clock, maxKeys: 1000, seed: 7 })
  t.teardown(() => { store.close() })
  const take = (limit: Limit, cost: number): Receipt => store.take([{ limit, partition: PARTITION, cost }])
  const adjust = (standing: Standing, atUs: number, units: number) => { store.adjust([{ standing, atUs, units }]) }
  return { clock, store, take, adjust, peek: (limit: Limit) => store.peek([limit], PARTITION)[0] }
}

t.test('it says what it is', async (t) => {
  const { store } = open()
  t.strictSame([store.kind, store.countsInFlight], ['memory', true])
})

t.test('a timer sweeps', async () => {
  const { clock, store, take } = open()
  take(limitOf(), 5)
  clock.advance(60 * SECOND_US)
  await until('the bucket was removed', 5000, () => store.size === 0)
})

t.test('takes and adjustments of limits that come and go do not pile up', async (t) => {
  const { clock, store, take, adjust } = open()
  const { standings: [standing] } = take(limitOf(), 1)
  for (let i = 0; i < 200; i++) take(limitOf({ bucket: `take ${i}` }), 0)
  t.ok(store.knownLimits <= 70, String(store.knownLimits))
  for (let i = 0; i < 200; i++) adjust({ ...standing, limit: limitOf({ bucket: `adjust ${i}` }) }, clock.nowUs(), -1)
  t.ok(store.knownLimits <= 70, String(store.knownLimits))
})

t.test('a full refund removes the bucket', async (t) => {
  const { store, take, adjust } = open()
  const { atUs, standings: [standing] } = take(limitOf(), 5)
  adjust(standing, atUs, -5)
  t.equal(store.size, 0)
})

t.test('slots are given back, and never taken, by an adjustment', async (t) => {
  const { store, take } = open()
  const { atUs, standings: [slot] } = take(SLOTS, 5)
  const { standings: [standing] } = take(limitOf(), 5)
  const inFlight = (...units: number[]) => {
    store.adjust(units.map((units, i) => ({ standing: i === 0 ? slot : standing, atUs, units })))
    return store.inFlight.get(SLOTS, PARTITION)
  }
  t.strictSame([inFlight(3), inFlight(-1), inFlight(3, 0), inFlight(-2, 0)], [5, 4, 4, 2])
  t.equal(store.size, 1, 'a slot has no bucket')
  t.strictSame([inFlight(-1, -5), store.size], [1, 0], 'each of several counts')
  t.equal(store.peek([SLOTS], PARTITION)[0].remaining, 9)
})

t.test('a limit of no units is never charged', async (t) => {
  const { clock, store, take, adjust } = open()
  const { standings: [standing] } = take(limitOf({ max: 0 }), 1)
  adjust(standing, clock.nowUs(), 3)
  t.equal(store.size, 0)
})

t.test('nor does it forget what a bucket has used', async (t) => {
  const { take, adjust, peek } = open()
  const { atUs, standings: [standing] } = take(limitOf(), 5)
  t.equal(take(limitOf({ max: 0 }), 1).granted, false)
  t.equal(peek(limitOf()).remaining, 5)
  adjust({ ...standing, limit: limitOf({ max: 0 }) }, atUs, 3)
  t.equal(peek(limitOf()).remaining, 5)
})

t.test('a request without a slot is not charged', async (t) => {
  const { store, take, peek } = open()
  take(SLOTS, 10)
  const charges = [limitOf(), SLOTS].map((limit) => ({ limit, partition: PARTITION, cost: 1 }))
  t.match(store.take(charges), { granted: false, standings: [{ granted: true, charged: 0 }, { granted: false }] })
  t.equal(peek(limitOf()).remaining, 10)
})

t.test('a reset counts the buckets that were in use', async (t) => {
  const { store, take } = open()
  const limits = ['first', 'second', 'third'].map((bucket) => limitOf({ bucket }))
  for (const limit of limits.slice(1)) take(limit, 1)
  t.strictSame([store.reset(limits, PARTITION), store.reset(limits, PARTITION)], [2, 0])
})

t.test('a place in the queue is given back only while it is the last one', async (t) => {
  const { store, take, peek } = open()
  const limit = limitOf({ maxDelayUs: 9 * SECOND_US })
  take(limit, 10)
  const giveBack = ({ atUs, standings: [standing] }: Receipt) => {
    store.adjust([{ standing, atUs, units: -standing.charged, onlyIfLast: true }])
    return peek(limit).resetUs / SECOND_US
  }
  const receipts = [take(limit, 5), take(limit, 2)]
  t.strictSame([giveBack(receipts[0]), giveBack(receipts[1]), giveBack(receipts[0])], [17, 15, 10])
})

t.test('an adjustment of no units leaves the bucket of another algorithm as it is', async (t) => {
  const { clock, take, adjust, peek } = open()
  const limit = limitOf({ algorithm: 'fixed-window' })
  const { atUs, standings: [standing] } = take(limit, 5)
  for (const units of [0, -1]) adjust({ ...standing, limit: limitOf() }, atUs, units)
  clock.advance(9 * SECOND_US)
  t.match(peek(limit), { remaining: 5, resetUs: SECOND_US })
})

t.test('a refund under later numbers gives back what had not drained under its own', async (t) => {
  const { clock, take, adjust, peek } = open()
  const [old, fresh] = [0, 1].map((generation) => ({ ...limitOf({ max: 10 + 10 * generation }), generation }))
  const { atUs, standings: [standing] } = take(old, 8)
  t.equal(standing.resetUs, 8 * SECOND_US)
  t.match(take(fresh, 10), { standings: [{ remaining: 2, resetUs: 9 * SECOND_US }] })
  clock.advance(5 * SECOND_US)
  adjust(standing, atUs, -8)
  t.match(peek(fresh), { remaining: 12 + 3, resetUs: 2.5 * SECOND_US }, '5 of its 8 units had drained')
})

t.test('so it does where a unit drains in a fraction of a microsecond more', async (t) => {
  const { store, take, adjust, peek } = open()
  const [old, fresh] = [10, 7].map((max, generation) => ({ ...limitOf({ max }), generation }))
  const { atUs, standings: [standing] } = take(old, 3)
  t.match(take(fresh, 0), { standings: [{ remaining: 4 }] })
  adjust(standing, atUs, -3)
  t.match(peek(fresh), { remaining: 7, resetUs: 0 })
  t.equal(store.size, 0)
})

t.test('a refund of a window under fewer units lowers what is counted above them', async (t) => {
  const { take, adjust, peek } = open()
  const [old, fresh] = [10, 5].map((max, generation) => ({ ...limitOf({ algorithm: 'fixed-window', max }), generation }))
  const { atUs, standings: [standing] } = take(old, 10)
  t.match(take(fresh, 0), { standings: [{ remaining: 0 }] })
  adjust(standing, atUs, -10)
  t.match(peek(fresh), { remaining: 5 })
})

t.test('after a clock has stepped back, requests of no units do not restart the wait', async (t) => {
  const { clock, take } = open()
  const limit = limitOf({ maxDelayUs: 9 * SECOND_US })
  take(limit, 10)
  clock.advance(-3600 * SECOND_US)
  t.match(take(limit, 0), { granted: true, standings: [{ resetUs: 19 * SECOND_US }] })
  clock.advance(SECOND_US)
  t.match(take(limit, 0), { granted: true, standings: [{ resetUs: 18 * SECOND_US }] })
})
