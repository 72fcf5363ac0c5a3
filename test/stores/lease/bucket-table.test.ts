// Buckets by the hash of their partition, and their rows.
import t from 'tap'
import fc from 'fast-check'
import type { BucketLeases } from '../../../lib/stores/lease/bucket-leases.js'
import { LEFT } from '../../../lib/stores/lease/bucket-row.js'
import { ABSENT, BucketTable, ROW_WORDS } from '../../../lib/stores/lease/bucket-table.js'
import { openBucket } from './open-bucket.js'

const hashOf = (word0: number, word1 = 0, word2 = 0) => ({ word0, word1, word2 })

/** A bucket with so many units in hand. */
function createBucket (units: number): BucketLeases {
  const { bucket, lease } = openBucket()
  lease(units)
  return bucket
}

const leftIn = (table: BucketTable<BucketLeases>, hash: ReturnType<typeof hashOf>) => table.rows.words[table.find(hash) * ROW_WORDS + LEFT]

t.test('a bucket is found by its whole hash', async (t) => {
  const table = new BucketTable<BucketLeases>()
  const hashes = [hashOf(5), hashOf(5, 1), hashOf(5, 0, 1), hashOf(21), hashOf(-11), hashOf(0), hashOf(15), hashOf(31)]
  const buckets = hashes.map((hash, i) => {
    const bucket = createBucket(i + 1)
    table.add(hash, bucket)
    return bucket
  })
  t.strictSame(hashes.map((hash) => table.get(hash)), buckets)
  t.strictSame(hashes.map((hash) => leftIn(table, hash)), [1, 2, 3, 4, 5, 6, 7, 8])
  t.strictSame([hashOf(5, 1, 1), hashOf(37), hashOf(16)].map((hash) => [table.find(hash), table.get(hash)]), [[ABSENT, null], [ABSENT, null], [ABSENT, null]])
  t.strictSame([table.size, [...table.buckets()]], [8, buckets])
})

t.test('a bucket keeps its units when it is removed, and its row is free for one with the same hash', async (t) => {
  const table = new BucketTable<BucketLeases>()
  const [before, after] = [createBucket(10), createBucket(7)]
  table.add(hashOf(5), before)
  t.equal(table.remove(hashOf(5)), before)
  t.strictSame([before.countLeft(0), leftIn(table, hashOf(5)), table.get(hashOf(5)), [...table.buckets()]], [10, 0, null, []])
  t.strictSame([table.remove(hashOf(5)), table.remove(hashOf(6))], [null, null])
  table.add(hashOf(5), after)
  before.spend(1, 0)
  t.strictSame([before.countLeft(0), after.countLeft(0), leftIn(table, hashOf(5)), table.size], [9, 7, 7, 1])
  t.equal(table.get(hashOf(5)), after)
})

t.test('a table that grows keeps its buckets, and leaves out those that were removed', async (t) => {
  const table = new BucketTable<BucketLeases>()
  const buckets = Array.from({ length: 40 }, (_, i) => createBucket(i + 1))
  for (const [i, bucket] of buckets.entries()) {
    table.add(hashOf(3 * i), bucket)
    if (i % 5 === 0) table.remove(hashOf(3 * i))
  }
  t.strictSame(buckets.map((_, i) => table.get(hashOf(3 * i))), buckets.map((bucket, i) => i % 5 === 0 ? null : bucket))
  for (const bucket of buckets) bucket.spend(1, 0)
  t.strictSame(buckets.map((_, i) => leftIn(table, hashOf(3 * i))), buckets.map((_, i) => i % 5 === 0 ? 0 : i))
})

t.test('whatever is added and removed, each bucket has its own row', async () => {
  const hash = fc.record({ word0: fc.integer({ min: -20, max: 20 }), word1: fc.integer({ min: 0, max: 1 }), word2: fc.constant(0) })
  fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), hash), { maxLength: 120 }), (steps) => {
    const table = new BucketTable<BucketLeases>()
    const expected = new Map<string, BucketLeases>()
    for (const [i, [isAdded, hash]] of steps.entries()) {
      const name = JSON.stringify(hash)
      if (isAdded && !expected.has(name)) {
        const bucket = createBucket(i + 1)
        table.add(hash, bucket)
        expected.set(name, bucket)
      } else if (!isAdded) {
        table.remove(hash)
        expected.delete(name)
      }
    }
    for (const [name, bucket] of expected) {
      const hash = JSON.parse(name)
      if (table.get(hash) !== bucket || leftIn(table, hash) !== bucket.countLeft(0)) return false
    }
    return [...table.buckets()].length === expected.size
  }))
})
