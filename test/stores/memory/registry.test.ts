import t from 'tap'
import { LimitRegistry } from '../../../lib/stores/memory/registry.js'
import { createMemoryStore } from '../../../lib/stores/memory/store.js'
import { scaleToLane } from '../../fixtures/lane.js'
import { limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

t.test('limits with one bucket text are one family, equal numbers one version', async (t) => {
  const registry = new LimitRegistry()
  const version = registry.findOrAddVersion(limitOf())
  t.equal(registry.findOrAddVersion(limitOf()), version)
  for (const other of [limitOf({ max: 11 }), limitOf({ windowUs: 1 }), limitOf({ burst: 11 }), limitOf({ algorithm: 'fixed-window' })]) {
    t.not(registry.findOrAddVersion(other), version)
    t.equal(registry.getGroupId(registry.findOrAddVersion(other)), registry.findOrAddGroupId(limitOf()))
  }
  t.not(registry.findOrAddGroupId(limitOf({ bucket: 'app/other' })), registry.findOrAddGroupId(limitOf()))
})

t.test('a family that was never seen has id 0 and is not made by asking', async (t) => {
  const registry = new LimitRegistry()
  t.equal(registry.findGroupId(limitOf()), 0)
  t.equal(registry.size, 0)
  t.equal(registry.findOrAddGroupId(limitOf()), registry.findGroupId(limitOf()))
})

t.test('ids count from 1, and no id is used again', async (t) => {
  const registry = new LimitRegistry()
  const limits = ['a', 'b', 'c'].map((bucket) => limitOf({ bucket }))
  t.strictSame(limits.map((limit) => registry.findOrAddGroupId(limit)), [1, 2, 3])
  t.strictSame(limits.map((limit) => registry.findGroupId(limit)), [1, 2, 3])
  t.strictSame(limits.map((limit) => registry.findOrAddVersion(limit)), [1, 2, 3])
  t.strictSame([1, 2, 3].map((version) => registry.getGroupId(version)), [1, 2, 3])
})

t.test('a limit is superseded once a later generation has used its bucket', async (t) => {
  const registry = new LimitRegistry()
  const [first, second, third] = [undefined, 1, 2].map((generation) => ({ ...limitOf(), generation }))
  t.equal(registry.isSuperseded(first), false, 'none has')
  registry.findOrAddGroupId(second)
  t.strictSame([first, second, third].map((limit) => registry.isSuperseded(limit)), [true, false, false])
  registry.findOrAddGroupId(first)
  t.equal(registry.isSuperseded(first), true, 'whatever comes after it')
  registry.findOrAddGroupId(third)
  t.strictSame([first, second, third].map((limit) => registry.isSuperseded(limit)), [true, true, false])
  const other = new LimitRegistry()
  other.findOrAddVersion(third)
  t.equal(other.isSuperseded(second), true, 'also with its first bucket')
})

t.test('unused limits are dropped once there are 64 entries, and then twice as many as were left', async (t) => {
  const registry = new LimitRegistry()
  const add = (count: number, name: string, isKept = false) => {
    for (let i = 0; i < count; i++) {
      const version = registry.findOrAddVersion(limitOf({ bucket: `${name}/${i}` }))
      if (isKept) registry.retain(version)
    }
    registry.trim()
    return registry.size
  }
  t.strictSame([add(31, 'few'), add(1, 'one')], [62, 0])
  t.equal(add(100, 'kept', true), 200)
  t.strictSame([add(99, 'unused'), add(1, 'last')], [398, 200])
  const version = registry.findOrAddVersion(limitOf({ bucket: 'kept/0' }))
  registry.release(version)
  t.strictSame([add(100, 'unused')], [198], 'with it')
})

t.test('a version in use outlives any number of unused ones', async (t) => {
  const registry = new LimitRegistry()
  const kept = limitOf({ bucket: 'app/kept' })
  const version = registry.findOrAddVersion(kept)
  registry.retain(version)
  const unused = scaleToLane(10_000, 10_000)
  for (let i = 0; i < unused; i++) {
    registry.trim()
    registry.findOrAddVersion(limitOf({ bucket: `app/${i}` }))
    if (registry.size > 200) throw new Error(`${registry.size} entries`)
  }
  t.equal(registry.findOrAddVersion(kept), version)
  t.equal(registry.getLimit(version), kept)
})

t.test('limits that come and go do not pile up in a store', async (t) => {
  const clock = new ManualClock()
  const store = createMemoryStore({ clock, maxKeys: 100_000 })
  t.teardown(() => store.close())
  const lasting = limitOf({ bucket: 'app/lasting', windowUs: 1e12 })
  store.take([{ limit: lasting, partition: 'user:1', cost: 10 }])
  let most = 0
  const rounds = scaleToLane(20_000, 20_000)
  for (let i = 0; i < rounds; i++) {
    const passing = limitOf({ bucket: `app/${i}` })
    const changing = limitOf({ bucket: 'app/changing', max: 1_000_000 + i, windowUs: 1e12 })
    const { granted } = store.take([
      { limit: passing, partition: 'ip:203.0.113.9', cost: 1 },
      { limit: changing, partition: 'ip:203.0.113.9', cost: i === 0 ? 10 : 1 }
    ])
    if (!granted) throw new Error('a refused request would remember nothing anyway')
    // Then the passing limit's bucket is full again. The changing one's is in use, under other numbers each time.
    clock.advance(SECOND_US)
    for (let sweeps = 0; sweeps < 64; sweeps++) store.sweep()
    most = Math.max(most, store.knownLimits)
  }
  t.ok(most < 1000, `at most ${most} were remembered`)
  t.equal(store.take([{ limit: lasting, partition: 'user:1', cost: 1 }]).granted, false)
})
