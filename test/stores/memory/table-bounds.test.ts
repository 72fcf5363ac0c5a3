// When a table grows, when it gives room back, and which versions its buckets use.
import t from 'tap'
import { LimitRegistry } from '../../../lib/stores/memory/registry.js'
import { ABSENT, Table } from '../../../lib/stores/memory/table.js'
import { limitOf } from '../../fixtures/limits.js'

/** A table with so many buckets, in the room that it has taken for them. */
function createTable (count: number) {
  const registry = new LimitRegistry()
  const table = new Table(registry)
  const version = registry.findOrAddVersion(limitOf())
  const groupId = registry.findOrAddGroupId(limitOf())
  const hashOf = (key: number) => ({ word0: Math.imul(key, 0x9e37_79b1), word1: key, word2: 0 })
  for (let key = 0; key < count; key++) {
    if (table.isFull()) table.resize()
    table.insert(hashOf(key), version)
  }
  return { table, remove: (key: number) => { table.remove(table.find(hashOf(key), groupId)) } }
}

t.test('a table of eight slots is full with six buckets, and grows to 1.6 slots a bucket', async (t) => {
  t.strictSame([5, 6].map((count) => createTable(count).table.isFull()), [false, true])
  const { table } = createTable(6)
  table.resize()
  t.strictSame([table.capacity, table.isFull()], [10, false])
})

t.test('a table is sparse with less than a quarter of its slots in use, unless it is the smallest', async (t) => {
  const { table } = createTable(0)
  t.strictSame([table.capacity, table.isSparse()], [8, false])
  const large = createTable(12)
  t.equal(large.table.capacity, 16)
  for (let key = 0; key < 8; key++) large.remove(key)
  t.strictSame([large.table.count, large.table.isSparse()], [4, false])
  large.remove(8)
  t.equal(large.table.isSparse(), true)
})

/** A table, and which versions it has retained (+) and released (-). */
function createCounted () {
  const uses: string[] = []
  const registry = {
    getGroupId: () => 1,
    retain: (version: number) => { uses.push(`+${version}`) },
    release: (version: number) => { uses.push(`-${version}`) }
  }
  const table = new Table(registry as unknown as LimitRegistry)
  return { table, insert: (key: number, version: number) => table.insert({ word0: key << 8, word1: key, word2: 0 }, version), takeUses: () => uses.splice(0) }
}

const STATE = { timeUs: 1, count: 2 }

t.test('a bucket uses the version that it was last written under', async (t) => {
  const { table, insert, takeUses } = createCounted()
  const slot = insert(1, 5)
  t.strictSame([takeUses(), table.versionAt(slot)], [['+5'], 5])
  table.write(slot, 5, STATE, null, null)
  t.strictSame(takeUses(), [])
  table.write(slot, 6, STATE, null, null)
  t.strictSame([takeUses(), table.versionAt(slot)], [['-5', '+6'], 6])
  table.remove(slot)
  t.strictSame([takeUses(), table.versionAt(slot)], [['-6'], 0])
})

t.test('a table that is cleared uses none', async (t) => {
  const { table, insert, takeUses } = createCounted()
  for (const key of [1, 2, 3]) insert(key, key)
  takeUses()
  table.clear()
  t.strictSame(takeUses().sort(), ['-1', '-2', '-3'])
})

t.test('buckets that have expired are dropped with a resize', async (t) => {
  const { table, insert, takeUses } = createCounted()
  const slots = [1, 2, 3].map((key) => insert(key, key))
  takeUses()
  const asked: number[] = []
  table.resize((slot) => {
    asked.push(slot)
    return slot === slots[1]
  })
  t.strictSame([asked, takeUses(), table.count], [slots, ['-2'], 2])
  t.not(table.find({ word0: 3 << 8, word1: 3, word2: 0 }, 1), ABSENT)
  t.equal(table.find({ word0: 2 << 8, word1: 2, word2: 0 }, 1), ABSENT)
})

t.test('a log and an overuse are those of the last write, from the first one on', async (t) => {
  const { table, insert } = createCounted()
  const [one, other] = [insert(1, 1), insert(2, 1)]
  const overuse = { atUs: 1, units: 2, max: 3, windowUs: 4 }
  table.write(one, 1, STATE, [7, 0], overuse)
  t.strictSame([table.logAt(one), table.overuseAt(one), table.logAt(other), table.overuseAt(other)], [[7, 0], overuse, null, null])
  table.write(one, 1, STATE, null, null)
  t.strictSame([table.logAt(one), table.overuseAt(one)], [null, null])
})

t.test('a bucket that is in its home slot stays there when one before it is removed', async (t) => {
  for (const [first, second] of [[0, 1], [7, 0]]) {
    const { table } = createCounted()
    const hashes = [first, second].map((home) => ({ word0: home << 29, word1: home, word2: 0 }))
    const slots = hashes.map((hash) => table.insert(hash, 1))
    t.strictSame(slots, [first, second])
    table.remove(first)
    t.strictSame(hashes.map((hash) => table.find(hash, 1)), [ABSENT, second])
  }
})

t.test('one that is not moves up, also around the end', async (t) => {
  const { table } = createCounted()
  const hashes = [1, 2, 3].map((word1) => ({ word0: 7 << 29, word1, word2: 0 }))
  t.strictSame(hashes.map((hash) => table.insert(hash, 1)), [7, 0, 1])
  table.remove(7)
  t.strictSame(hashes.map((hash) => table.find(hash, 1)), [ABSENT, 7, 0])
})
