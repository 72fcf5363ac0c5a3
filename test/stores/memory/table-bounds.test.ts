// When a table grows, and when it gives room back.
import t from 'tap'
import { LimitRegistry } from '../../../lib/stores/memory/registry.js'
import { Table } from '../../../lib/stores/memory/table.js'
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
