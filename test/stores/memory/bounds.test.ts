import t from 'tap'
import fc from 'fast-check'
import { createMemoryStore, type MemoryStore } from '../../../lib/stores/memory/store.js'
import { scaleToLane } from '../../fixtures/lane.js'
import { ALGORITHMS, limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { assertProperty } from '../../fixtures/property.js'

const HOUR_US = 3600 * SECOND_US

function storeOf (maxKeys: number, clock = new ManualClock()): MemoryStore {
  const store = createMemoryStore({ clock, maxKeys, seed: 7 })
  t.teardown(() => store.close())
  return store
}

t.test('there are never more buckets than maxKeys', async (t) => {
  assertProperty(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 5 })), 20, ([maxKeys, limits]) => {
    const store = createMemoryStore({ clock: new ManualClock(), maxKeys, seed: maxKeys })
    for (let i = 0; i < 200; i++) {
      const charges = Array.from({ length: limits }, (_, n) => ({ limit: limitOf({ bucket: `app/${n}` }), partition: `user:${i}`, cost: 1 }))
      if (!store.take(charges).granted || store.size > maxKeys) throw new Error(`${store.size} buckets of ${maxKeys}`)
    }
    t.equal(store.size, maxKeys)
    store.close()
  })
})

t.test('maxKeys holds across shards', async (t) => {
  const store = storeOf(40_000)
  const limit = limitOf({ windowUs: HOUR_US })
  for (let i = 0; i < 50_000; i++) store.take([{ limit, partition: `user:${i}`, cost: 1 }])
  t.equal(store.size, 40_000)
})

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: nobody erases his own used-up counter by sending other keys`, async (t) => {
    const store = storeOf(2000)
    const limit = limitOf({ algorithm, max: 100, windowUs: HOUR_US })
    const victims = Array.from({ length: 40 }, (_, i) => ({ limit, partition: `user:${i}`, cost: 100 }))
    for (const victim of victims) store.take([victim])
    const others = scaleToLane(100_000, 100_000)
    for (let i = 0; i < others; i++) store.take([{ limit, partition: `key:${i}`, cost: 1 }])
    t.equal(victims.filter(victim => !store.take([victim]).granted).length, 40)
    t.equal(store.peek([limit], 'key:0')[0].remaining, 99, 'nor does anybody else\'s')
    t.equal(store.size, 2000)
  })
}

t.test('a bucket that is full again makes room, and none that is in use', async (t) => {
  const clock = new ManualClock()
  const store = storeOf(64, clock)
  const short = limitOf({ max: 2, windowUs: SECOND_US, bucket: 'app/short' })
  const long = limitOf({ max: 1_000_000, windowUs: HOUR_US, bucket: 'app/long' })
  for (let i = 0; i < 32; i++) store.take([{ limit: short, partition: `user:${i}`, cost: 2 }])
  for (let i = 0; i < 32; i++) store.take([{ limit: long, partition: `user:${i}`, cost: 50_000 }])
  clock.advance(SECOND_US)
  for (let i = 32; i < 42; i++) store.take([{ limit: long, partition: `user:${i}`, cost: 50_000 }])
  for (let i = 0; i < 42; i++) {
    if (store.peek([long], `user:${i}`)[0].remaining > 970_000) throw new Error(`user:${i} was forgotten`)
  }
  t.ok(store.size <= 64)
})

t.test('a refused request on a full store pushes nothing out', async (t) => {
  const store = storeOf(10)
  const limit = limitOf({ windowUs: HOUR_US })
  for (let i = 0; i < 10; i++) store.take([{ limit, partition: `user:${i}`, cost: 5 }])
  for (let i = 0; i < 100; i++) store.take([{ limit, partition: `key:${i}`, cost: 11 }])
  for (let i = 0; i < 10; i++) t.equal(store.peek([limit], `user:${i}`)[0].remaining, 5)
})
