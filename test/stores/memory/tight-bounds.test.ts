// Each bound of docs/guarantees.md is reached, so that no smaller bound would be true.
import t from 'tap'
import { createMemoryStore, type MemoryStore } from '../../../lib/stores/memory/store.js'
import type { Charge, Limit } from '../../../lib/stores/store.js'
import { limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

const WINDOW_US = 60 * SECOND_US
const PARTITION = 'ip:203.0.113.9'

function open (): { store: MemoryStore, clock: ManualClock } {
  const clock = new ManualClock()
  const store = createMemoryStore({ clock, maxKeys: 100, seed: 7 })
  t.teardown(() => { store.close() })
  return { store, clock }
}

/** How many requests of one unit are granted at this moment. */
function takeAll (store: MemoryStore, limits: readonly Limit[]): number {
  const charges = limits.map((limit): Charge => ({ limit, partition: PARTITION, cost: 1 }))
  let granted = 0
  while (store.take(charges).granted) granted++
  return granted
}

t.test('a token bucket grants burst + rate * t', async (t) => {
  const { store, clock } = open()
  const limit = limitOf({ algorithm: 'token-bucket', max: 60, windowUs: WINDOW_US, burst: 25 })
  let granted = takeAll(store, [limit])
  t.equal(granted, 25)
  for (let second = 1; second <= 100; second++) {
    clock.advance(SECOND_US - 1)
    t.equal(takeAll(store, [limit]), 0, 'a microsecond before the unit is due')
    clock.advance(1)
    granted += takeAll(store, [limit])
  }
  t.equal(granted, 25 + 100)
})

t.test('a sliding window grants max, and max again one window later', async (t) => {
  const { store, clock } = open()
  const limit = limitOf({ algorithm: 'sliding-window', max: 10, windowUs: WINDOW_US })
  t.equal(takeAll(store, [limit]), 10)
  clock.advance(WINDOW_US - 1)
  t.equal(takeAll(store, [limit]), 0)
  clock.advance(1)
  t.equal(takeAll(store, [limit]), 10)
})

t.test('a fixed window grants twice its max around its end', async (t) => {
  const { store, clock } = open()
  const limit = limitOf({ algorithm: 'fixed-window', max: 10, windowUs: WINDOW_US })
  store.take([{ limit, partition: PARTITION, cost: 1 }])
  clock.advance(WINDOW_US - 1)
  const last = takeAll(store, [limit])
  clock.advance(1)
  t.equal(last + takeAll(store, [limit]), 19, 'within two microseconds: all but the unit that began the first window')
})

t.test('two limits grant what the smaller one has, and the larger one keeps the rest', async (t) => {
  const { store } = open()
  const small = limitOf({ max: 3, windowUs: WINDOW_US, bucket: 'small' })
  const large = limitOf({ max: 5, windowUs: WINDOW_US, bucket: 'large' })
  t.equal(takeAll(store, [small, large]), 3)
  t.equal(takeAll(store, [large]), 2)
})
