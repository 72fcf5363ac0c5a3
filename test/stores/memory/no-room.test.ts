// What a store without room does for a partition, one case at a time. See also overflow.test.ts.
import t from 'tap'
import { createMemoryStore } from '../../../lib/stores/memory/store.js'
import type { Limit, Receipt } from '../../../lib/stores/store.js'
import { limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

const HOUR_US = 3600 * SECOND_US
const PARTITION = '203.0.113.1'
const GROUP = 'ipv4 203.0'

/** A store with room for one bucket, which another client has for a second. */
function open () {
  const clock = new ManualClock()
  const overflows = { count: 0 }
  const store = createMemoryStore({ clock, maxKeys: 1, seed: 7, onOverflow: () => { overflows.count++ } })
  t.teardown(() => { store.close() })
  const take = (limit: Limit, cost: number, partition = PARTITION): Receipt => store.take([{ limit, partition, cost }])
  take(limitOf({ max: 1, windowUs: SECOND_US, bucket: 'other' }), 1, '192.0.2.1')
  const adjust = ({ atUs, standings: [standing] }: Receipt, units: number) => { store.adjust([{ standing, atUs, units }]) }
  return { clock, store, overflows, take, adjust, peek: (limit: Limit) => store.peek([limit], PARTITION)[0] }
}

t.test('there is room for 1024 groups, and then for one of each kind', async (t) => {
  const { store, take } = open()
  const limit = limitOf({ max: 2, windowUs: HOUR_US })
  const takeFrom = (network: number) => take(limit, 1, `${10 + (network >> 8)}.${network & 255}.0.1`)
  for (let network = 0; network < 1024; network++) takeFrom(network)
  t.equal(store.sharedSize, 1024)
  t.match(takeFrom(1024), { standings: [{ sharedPartition: 'ipv4', remaining: 1 }] })
  t.match(takeFrom(1025), { standings: [{ sharedPartition: 'ipv4', remaining: 0 }] })
  t.equal(store.sharedSize, 1025)
})

t.test('two charges of one bucket get one place', async (t) => {
  const { clock, store, overflows } = open()
  const limit = limitOf({ windowUs: HOUR_US })
  clock.advance(SECOND_US)
  const charge = { limit, partition: PARTITION, cost: 2 }
  t.match(store.take([charge, charge]), { standings: [{ remaining: 6 }, { remaining: 6 }] })
  t.strictSame([store.size, store.sharedSize, overflows.count], [1, 0, 0])
})

t.test('a charge of no units is none of the group', async (t) => {
  const { store, overflows, take } = open()
  const limit = limitOf({ windowUs: HOUR_US })
  take(limit, 1)
  t.equal(overflows.count, 1)
  const none = { limit, partition: PARTITION, cost: 0 }
  store.take([none, { ...none, limit: limitOf({ windowUs: HOUR_US, bucket: 'second' }) }])
  store.take([none])
  t.equal(overflows.count, 1)
})

t.test('who finds room later goes on with what the group has used, also when the store is not full', async (t) => {
  const { clock, store, take } = open()
  const limit = limitOf({ windowUs: HOUR_US })
  take(limit, 3)
  clock.advance(SECOND_US)
  store.sweep()
  t.equal(store.size, 0)
  t.match(take(limit, 1), { standings: [{ remaining: 6 }] })
  t.equal(store.size, 1)
})

t.test('who finds room goes on with the debt of the group as well', async (t) => {
  const { clock, store, take, adjust, peek } = open()
  const limit = limitOf()
  const receipt = take(limit, 10)
  adjust(receipt, 4)
  t.strictSame([peek(limit).resetUs, store.sharedSize], [14 * SECOND_US, 1])
  clock.advance(SECOND_US)
  adjust(receipt, 4)
  t.strictSame([peek(limit).resetUs, store.size], [17 * SECOND_US, 1])
})

t.test('a limit of an earlier generation with other numbers charges the group, although there is room', async (t) => {
  const { clock, take } = open()
  const [old, fresh] = [0, 1].map((generation) => ({ ...limitOf({ max: 10 + 990 * generation, windowUs: HOUR_US }), generation }))
  take(fresh, 500)
  clock.advance(SECOND_US)
  t.match(take(old, 1), { granted: true, standings: [{ sharedPartition: GROUP }] })
})

t.test('one with the same numbers gets a bucket', async (t) => {
  const { clock, store, take } = open()
  const [old, fresh] = [0, 1].map((generation) => ({ ...limitOf({ windowUs: HOUR_US }), generation }))
  take(fresh, 3)
  clock.advance(SECOND_US)
  const { standings: [standing] } = take(old, 1)
  t.strictSame([standing.remaining, 'sharedPartition' in standing, store.size], [6, false, 1])
})

t.test('one of a later generation gets a bucket of its own numbers', async (t) => {
  const { clock, store, take } = open()
  const [old, fresh] = [0, 1].map((generation) => ({ ...limitOf({ max: 10 + 90 * generation, windowUs: HOUR_US }), generation }))
  take(old, 5)
  clock.advance(SECOND_US)
  const { standings: [standing] } = take(fresh, 1)
  t.strictSame([standing.remaining, 'sharedPartition' in standing, store.size], [94, false, 1])
})

t.test('after a clock has stepped back, looking at a group does not restart its wait', async (t) => {
  const { clock, take, peek } = open()
  const limit = limitOf()
  take(limit, 10)
  clock.advance(-HOUR_US)
  t.equal(peek(limit).resetUs, 19 * SECOND_US)
  clock.advance(SECOND_US)
  t.equal(peek(limit).resetUs, 18 * SECOND_US)
})

t.test('a refund goes to the group, and a later charge to the partition', async (t) => {
  const { clock, store, take, adjust, peek } = open()
  const limit = limitOf({ windowUs: HOUR_US })
  const receipt = take(limit, 5)
  t.match(receipt, { standings: [{ sharedPartition: GROUP }] })
  adjust(receipt, -2)
  t.equal(peek(limit).remaining, 7)
  clock.advance(SECOND_US)
  adjust(receipt, 1)
  t.strictSame([peek(limit).remaining, store.peek([limit], '203.0.113.2')[0].remaining, store.size], [6, 7, 1])
  store.reset([limit], PARTITION)
  adjust(receipt, -3)
  t.strictSame([peek(limit).remaining, store.sharedSize], [10, 0], 'the last one removes the bucket')
})

t.test('a fixed window that finds room is one again', async (t) => {
  const { clock, store, take, peek } = open()
  const limit = limitOf({ algorithm: 'fixed-window', windowUs: HOUR_US })
  take(limit, 3)
  clock.advance(SECOND_US)
  t.match(take(limit, 1), { standings: [{ remaining: 6 }] })
  t.strictSame([peek(limit).remaining, store.size], [6, 1])
})

t.test('of two charges that find one free place, the second is one of the group', async (t) => {
  const store = createMemoryStore({ clock: new ManualClock(), maxKeys: 1, seed: 7 })
  t.teardown(() => { store.close() })
  const limits = ['first', 'second'].map((bucket) => limitOf({ bucket }))
  store.take(limits.map((limit) => ({ limit, partition: PARTITION, cost: 3 })))
  t.strictSame([store.size, store.sharedSize], [1, 1])
  t.match(store.peek(limits, PARTITION), [{ remaining: 7 }, { remaining: 7 }])
})
