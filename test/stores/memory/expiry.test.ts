import t from 'tap'
import { createMemoryStore } from '../../../lib/stores/memory/store.js'
import { scaleToLane } from '../../fixtures/lane.js'
import { ALGORITHMS, limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: keys that never come back are dropped while others come`, async (t) => {
    const clock = new ManualClock()
    const store = createMemoryStore({ clock, maxKeys: 100_000, seed: 7 })
    t.teardown(() => store.close())
    const limit = limitOf({ algorithm, max: 1, windowUs: SECOND_US })
    let most = 0
    const keys = scaleToLane(100_000, 100_000)
    for (let i = 0; i < keys; i++) {
      store.take([{ limit, partition: `key:${i}`, cost: 1 }])
      // 1000 keys a window are in use at any time.
      clock.advance(SECOND_US / 1000)
      most = Math.max(most, store.size)
    }
    t.ok(most < 2500, `at most ${most} buckets`)
  })

  t.test(`${algorithm}: sweeps drop every bucket that is full again, and no other`, async (t) => {
    const clock = new ManualClock()
    const store = createMemoryStore({ clock, maxKeys: 100_000, seed: 7 })
    t.teardown(() => store.close())
    const short = limitOf({ algorithm, max: 1, windowUs: SECOND_US, bucket: 'app/short' })
    const long = limitOf({ algorithm, max: 1, windowUs: 2 * SECOND_US, bucket: 'app/long' })
    const users = scaleToLane(5000, 5000)
    for (let i = 0; i < users; i++) store.take([{ limit: short, partition: `user:${i}`, cost: 1 }])
    for (let i = 0; i < 50; i++) store.take([{ limit: long, partition: `user:${i}`, cost: 1 }])
    clock.advance(SECOND_US - 1)
    for (let sweeps = 0; sweeps < 64; sweeps++) store.sweep()
    t.equal(store.size, users + 50, 'a microsecond early')
    clock.advance(1)
    for (let sweeps = 0; sweeps < 64; sweeps++) store.sweep()
    t.equal(store.size, 50)
    for (let i = 0; i < 50; i++) {
      if (store.take([{ limit: long, partition: `user:${i}`, cost: 1 }]).granted) throw new Error(`user:${i} was forgotten`)
    }
    clock.advance(SECOND_US)
    for (let sweeps = 0; sweeps < 64; sweeps++) store.sweep()
    t.equal(store.size, 0)
  })
}

t.test('inserts drop what has expired, a few slots at a time, without a sweep', async (t) => {
  const clock = new ManualClock()
  const store = createMemoryStore({ clock, maxKeys: 10_000, seed: 7 })
  t.teardown(() => store.close())
  const limit = limitOf({ max: 1, windowUs: SECOND_US })
  for (let i = 0; i < 6000; i++) store.take([{ limit, partition: `old:${i}`, cost: 1 }])
  // Room for the new ones, so that they do not make the table grow: that looks at every slot.
  for (let i = 0; i < 4000; i++) store.reset([limit], `old:${i}`)
  clock.advance(SECOND_US)
  // At most 9600 slots and 2000 removals, 4 looks an insert.
  for (let i = 0; i < 2900; i++) store.take([{ limit, partition: `new:${i}`, cost: 1 }])
  t.equal(store.size, 2900)
})

t.test('a closed store holds nothing and answers all the same', async (t) => {
  const store = createMemoryStore({ clock: new ManualClock(), maxKeys: 100_000, seed: 7 })
  const limit = limitOf()
  store.take([{ limit, partition: 'user:1', cost: 10 }])
  store.close()
  t.equal(store.size, 0)
  t.equal(store.take([{ limit, partition: 'user:1', cost: 10 }]).granted, true)
})
