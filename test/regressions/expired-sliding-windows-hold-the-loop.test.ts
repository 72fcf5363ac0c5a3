// A million sliding windows that expired at once: each sweep, and each insert into a full shard, took a whole shard in one turn.
// Steps are counted, not time: a step is a slot that is looked at or copied.
import t, { type Test } from 'tap'
import { createMemoryStore } from '../../lib/stores/memory/store.js'
import { Table } from '../../lib/stores/memory/table.js'
import { scaleToLane } from '../fixtures/lane.js'
import { ALGORITHMS, limitOf, SECOND_US } from '../fixtures/limits.js'
import { ManualClock } from '../fixtures/manual-clock.js'

/** 2048 slots of a sweep, each with a removal that closes the gap behind it. Measured: 0.3 us for a step of the slowest kind. */
const MAX_STEPS = 40_000

/** Counts the slots that tables look at and copy. */
function countSteps (t: Test): () => number {
  const { versionAt, resize } = Table.prototype
  let steps = 0
  t.teardown(() => { Object.assign(Table.prototype, { versionAt, resize }) })
  Object.assign(Table.prototype, {
    versionAt (this: Table, slot: number) {
      steps++
      return versionAt.call(this, slot)
    },
    resize (this: Table, isExpired?: (slot: number) => boolean) {
      steps += this.capacity
      resize.call(this, isExpired)
    }
  })
  return () => {
    const counted = steps
    steps = 0
    return counted
  }
}

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: buckets that expire at once are dropped in slices`, (t) => {
    const keys = algorithm === 'sliding-window' ? scaleToLane(1_000_000, 60_000) : 60_000
    const clock = new ManualClock()
    const store = createMemoryStore({ clock, maxKeys: 1.1 * keys, seed: 7 })
    t.teardown(() => store.close())
    const limit = limitOf({ algorithm, max: 5, windowUs: SECOND_US })
    const takeSteps = countSteps(t)
    let inserted = 0
    for (let i = 0; i < 1.1 * keys; i++) {
      if (i === keys) clock.advance(SECOND_US)
      store.take([{ limit, partition: `user:${i}`, cost: 1 }])
      inserted = Math.max(inserted, takeSteps())
    }
    let swept = 0
    let sweeps = 0
    for (; store.size > keys / 10 && sweeps < keys; sweeps++) {
      store.sweep()
      swept = Math.max(swept, takeSteps())
    }
    t.ok(inserted < MAX_STEPS, `an insert takes ${inserted} steps`)
    t.ok(swept < MAX_STEPS, `a sweep takes ${swept} steps`)
    t.ok(sweeps < keys / 500, `${sweeps} sweeps drop all of them`)
    t.equal(store.size, keys / 10, 'and no other')
    t.end()
  })
}

// The buckets that were left before the sweep had their homes in one part of the smaller table, and ran over it.
for (const sweptBefore of [1, 2, 3, 5]) {
  t.test(`buckets that expire when a sweep has passed ${sweptBefore} slices of a shard are dropped in slices`, (t) => {
    const keys = scaleToLane(1_000_000, 200_000)
    const clock = new ManualClock()
    const store = createMemoryStore({ clock, maxKeys: keys, seed: 7 })
    t.teardown(() => store.close())
    const limit = limitOf({ algorithm: 'sliding-window', max: 5, windowUs: SECOND_US })
    const takeSteps = countSteps(t)
    for (let i = 0; i < keys; i++) store.take([{ limit, partition: `user:${i}`, cost: 1 }])
    for (let i = 0; i < sweptBefore; i++) store.sweep()
    clock.advance(2 * SECOND_US)
    takeSteps()
    let swept = 0
    while (store.size > 0) {
      store.sweep()
      swept = Math.max(swept, takeSteps())
    }
    t.ok(swept < MAX_STEPS, `a sweep takes ${swept} steps`)
    t.end()
  })
}
