// When a bucket is over, and when it must be written although it was not charged.
import t from 'tap'
import type { Algorithm } from '../../../lib/algorithms/quota.js'
import { createQuota } from '../../../lib/algorithms/quota.js'
import { createCheckResult } from '../../../lib/algorithms/check-result.js'
import type { Overuse } from '../../../lib/algorithms/carry-over.js'
import { assessBucket, chargeBucket, clearBucket, convertBucket, hasExpired, hasMoved, refundBucket, type Bucket } from '../../../lib/stores/memory/bucket.js'
import { LimitRegistry } from '../../../lib/stores/memory/registry.js'
import { createMemoryStore } from '../../../lib/stores/memory/store.js'
import { Table } from '../../../lib/stores/memory/table.js'
import type { Limit } from '../../../lib/stores/store.js'
import { limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

const NOW_US = 1000 * SECOND_US
const WINDOW_US = 10 * SECOND_US
const slots: Limit = { ...limitOf(), ...createQuota('concurrency', 10, WINDOW_US) }
const of = (algorithm: Algorithm | 'calendar-window') => limitOf({ algorithm, windowUs: WINDOW_US })

const bucketOf = (timeUs: number, count: number): Bucket => ({ timeUs, count, log: null, overuse: null })

for (const [algorithm, timeUs, count, resultUs, expected] of [
  ['token-bucket', 5, 0, 4, true], ['token-bucket', 5, 0, 5, false], ['token-bucket', 5, 0, 6, false],
  ['fixed-window', 5, 1, 4, true], ['fixed-window', 5, 1, 5, false], ['fixed-window', 5, 1, 6, false],
  ['sliding-window', 5, 1, 4, false], ['sliding-window', 5, 1, 6, false],
  ['calendar-window', 5, 1, 4, true], ['calendar-window', 5, 1, 6, true], ['calendar-window', 5, 1, 5, false], ['calendar-window', 5, 0, 4, false]
] as const) {
  t.test(`${algorithm}: a bucket of ${count} units at ${timeUs} that is read as of ${resultUs} ${expected ? 'has' : 'has not'} moved`, async (t) => {
    t.equal(hasMoved(of(algorithm), bucketOf(timeUs, count), { ...createCheckResult(), timeUs: resultUs }), expected)
  })
}

/** Whether a slot with this state has expired. */
function isOver (limit: Limit, timeUs: number, count: number, log: number[] | null = null, overuse: Overuse | null = null): boolean {
  const registry = new LimitRegistry()
  const table = new Table(registry)
  const version = registry.findOrAddVersion(limit)
  const slot = table.insert({ word0: 1, word1: 2, word2: 3 }, version)
  table.write(slot, version, { timeUs, count }, log, overuse)
  return hasExpired(limit, table, slot, NOW_US)
}

for (const [algorithm, timeUs, count, expected] of [
  ['token-bucket', NOW_US - 1, 5, true], ['token-bucket', NOW_US, 0, true], ['token-bucket', NOW_US, 1, false], ['token-bucket', NOW_US + 1, 0, false],
  ['fixed-window', NOW_US, 0, true], ['fixed-window', NOW_US - WINDOW_US, 1, true], ['fixed-window', NOW_US - WINDOW_US + 1, 1, false],
  ['calendar-window', NOW_US + 9, 0, true], ['calendar-window', NOW_US, 1, true], ['calendar-window', NOW_US + 1, 1, false]
] as const) {
  t.test(`${algorithm}: a bucket of ${count} units at ${timeUs - NOW_US} from now ${expected ? 'is' : 'is not'} over`, async (t) => {
    t.equal(isOver(of(algorithm), timeUs, count), expected)
  })
}

t.test('a log is over a window after its last entry, and no log is', async (t) => {
  const limit = of('sliding-window')
  const logAt = (us: number) => {
    const bucket = bucketOf(us, 0)
    chargeBucket(limit, bucket, 3, us, createCheckResult())
    return bucket.log
  }
  t.strictSame([isOver(limit, 0, 0), isOver(limit, 0, 0, logAt(NOW_US - WINDOW_US)), isOver(limit, 0, 0, logAt(NOW_US - 1))], [true, true, false])
})

t.test('an overuse keeps a bucket until it has drained', async (t) => {
  const overuse = { atUs: NOW_US - 5 * SECOND_US, units: 5, max: 10, windowUs: WINDOW_US }
  const limit = of('token-bucket')
  t.equal(isOver(limit, 0, 0, null, { ...overuse, units: 6 }), false)
  t.equal(isOver(limit, 0, 0, null, overuse), true, 'now')
  t.equal(isOver(limit, NOW_US + 1, 0, null, { ...overuse, units: 4 }), false, 'the bucket itself is not over')
})

t.test('requests in flight have no bucket', async (t) => {
  const bucket = bucketOf(0, 0)
  const result = createCheckResult()
  const error = { name: 'TypeError', message: 'requests in flight have no bucket' }
  for (const use of [
    () => { assessBucket(slots, bucket, 1, 0, result) },
    () => { chargeBucket(slots, bucket, 1, 0, result) },
    () => { refundBucket(slots, bucket, { units: 1, chargedAtUs: 0, chargedUntilUs: 1 }, 0, result) },
    () => hasMoved(slots, bucket, result),
    () => isOver(slots, 0, 0),
    () => { convertBucket(bucket, of('token-bucket'), slots, 0) }
  ]) t.throws(use, error)
})

t.test('a bucket that is cleared, or read under a limit of no units, has nothing', async (t) => {
  const cleared = { timeUs: NOW_US, count: 0, log: null, overuse: null }
  const bucket: Bucket = { timeUs: 5, count: 3, log: [0, 0], overuse: { atUs: 1, units: 2, max: 3, windowUs: 4 } }
  clearBucket(bucket, NOW_US)
  t.strictSame(bucket, cleared)
  const used = bucketOf(NOW_US + 5 * SECOND_US, 0)
  convertBucket(used, of('token-bucket'), limitOf({ max: 0 }), NOW_US)
  t.strictSame(used, cleared)
})

t.test('a log is carried over to a shorter window, by its share of the window', async (t) => {
  const clock = new ManualClock()
  const store = createMemoryStore({ clock, maxKeys: 10, seed: 7 })
  t.teardown(() => { store.close() })
  const [long, short] = [60, 10].map((seconds) => limitOf({ algorithm: 'sliding-window', max: 10, windowUs: seconds * SECOND_US }))
  store.take([{ limit: long, partition: 'a', cost: 5 }])
  clock.advance(30 * SECOND_US)
  t.match(store.peek([short], 'a'), [{ remaining: 5, resetUs: 5 * SECOND_US }])
  clock.advance(5 * SECOND_US)
  t.match(store.peek([short], 'a'), [{ remaining: 10 }])
})
