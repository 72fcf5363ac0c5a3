// Which bucket is found, written and removed, and when a partition may find no room.
import t from 'tap'
import { assessBucket } from '../../../lib/stores/memory/bucket.js'
import { Buckets } from '../../../lib/stores/memory/buckets.js'
import { PendingCharge } from '../../../lib/stores/memory/pending-charge.js'
import type { Limit } from '../../../lib/stores/store.js'
import { limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

const ONE = '203.0.113.1'
const OTHER = '203.0.113.2'
const OVERUSE = { atUs: 1, units: 2, max: 3, windowUs: 4 }

function open (maxKeys = 100) {
  const clock = new ManualClock()
  const buckets = new Buckets(clock, maxKeys, 7, () => {})
  /** The bucket of a partition, assessed for so many units. */
  const find = (partition: string, limit: Limit, cost = 0): PendingCharge => {
    const pending = new PendingCharge()
    buckets.selectPartition(partition)
    buckets.find(pending, buckets.registry.findOrAddGroupId(limit))
    buckets.read(pending, limit, clock.nowUs())
    assessBucket(pending.quota, pending, cost, clock.nowUs(), pending.result)
    return pending
  }
  const take = (partition: string, limit: Limit, cost: number) => {
    buckets.commit(find(partition, limit, cost), limit, cost, clock.nowUs())
  }
  return { clock, buckets, find, take }
}

t.test('a partition may find no room if it has no bucket, and the store is full or groups have some', async (t) => {
  const { clock, buckets, find, take } = open(1)
  const short = limitOf({ windowUs: SECOND_US, bucket: 'short' })
  const long = limitOf()
  t.equal(find(ONE, short).isCrowded, false, 'an empty store')
  take(ONE, short, 10)
  t.strictSame([find(ONE, short).isCrowded, find(OTHER, long).isCrowded], [false, true], 'a full one')
  take(OTHER, long, 10)
  clock.advance(SECOND_US)
  buckets.shards.sweep()
  t.strictSame([buckets.shards.count, buckets.shared.shards.count], [0, 1])
  t.equal(find(OTHER, long).isCrowded, true, 'a group is left')
  clock.advance(9 * SECOND_US)
  buckets.shared.shards.sweep()
  t.equal(find(OTHER, long).isCrowded, false)
})

t.test('a bucket of which nothing is used is removed, unless it has an overuse', async (t) => {
  const { clock, buckets, find, take } = open()
  const limit = limitOf()
  take(ONE, limit, 5)
  const pending = find(ONE, limit)
  pending.result.resetUs = 0
  pending.overuse = OVERUSE
  buckets.write(pending, limit, clock.nowUs())
  t.equal(buckets.shards.count, 1)
  t.strictSame(find(ONE, limit).overuse, OVERUSE)
  pending.overuse = null
  buckets.write(pending, limit, clock.nowUs())
  t.equal(buckets.shards.count, 0)
})

t.test('one that is absent is not', async (t) => {
  const { clock, buckets, find, take } = open()
  const limit = limitOf()
  buckets.write(find(ONE, limit), limit, clock.nowUs())
  t.equal(buckets.shards.count, 0, 'in no table')
  take(OTHER, limit, 1)
  buckets.write(find(ONE, limit), limit, clock.nowUs())
  t.equal(buckets.shards.count, 1, 'in a table')
})

t.test('a bucket that is written for other numbers must be read again, however often that happens', async (t) => {
  const { clock, buckets, find, take } = open()
  take(ONE, limitOf(), 5)
  for (const max of [20, 30]) {
    const { moves } = buckets.shards
    const limit = limitOf({ max })
    buckets.write(find(ONE, limit), limit, clock.nowUs())
    t.equal(buckets.shards.moves, moves + 1)
  }
})

t.test('only a sliding window has a log', async (t) => {
  const { find, take } = open()
  for (const algorithm of ['token-bucket', 'fixed-window'] as const) {
    const limit = limitOf({ algorithm, bucket: algorithm })
    take(ONE, limit, 3)
    t.equal(find(ONE, limit).log, null)
  }
  const limit = limitOf({ algorithm: 'sliding-window', bucket: 'sliding-window' })
  take(ONE, limit, 3)
  t.equal(find(ONE, limit).log?.[1], 3)
})

t.test('a bucket that was not charged is not written, and so not removed', async (t) => {
  const { clock, buckets, find, take } = open()
  const limit = limitOf()
  take(ONE, limit, 5)
  clock.advance(60 * SECOND_US)
  buckets.repair(find(ONE, limit), limit, clock.nowUs())
  t.equal(buckets.shards.count, 1)
})

t.test('a bucket is that of an algorithm that has written it', async (t) => {
  const { buckets, find, take } = open()
  const limit = limitOf()
  t.equal(buckets.hasBucket(find(ONE, limit), limit), false, 'in no table')
  take(OTHER, limit, 5)
  t.equal(buckets.hasBucket(find(ONE, limit), limit), false, 'in a table')
  t.equal(buckets.hasBucket(find(OTHER, limit), limit), true)
  t.equal(buckets.hasBucket(find(OTHER, limit), limitOf({ algorithm: 'fixed-window' })), false)
})

t.test('a bucket that has expired was not in use when it is reset', async (t) => {
  const { clock, buckets, find, take } = open()
  const limit = limitOf()
  t.equal(buckets.reset(find(ONE, limit), clock.nowUs()), false, 'in no table')
  take(ONE, limit, 5)
  t.equal(buckets.reset(find(OTHER, limit), clock.nowUs()), false, 'in a table')
  t.equal(buckets.reset(find(ONE, limit), clock.nowUs()), true)
  take(ONE, limit, 5)
  clock.advance(60 * SECOND_US)
  t.strictSame([buckets.reset(find(ONE, limit), clock.nowUs()), buckets.shards.count], [false, 0])
})
