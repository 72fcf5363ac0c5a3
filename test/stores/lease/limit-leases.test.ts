// The busy buckets of one limit: what is spent without a look at their objects, and where they are.
import t from 'tap'
import type { BucketLeases } from '../../../lib/stores/lease/bucket-leases.js'
import { LimitLeases } from '../../../lib/stores/lease/limit-leases.js'
import { TextHasher } from '../../../lib/stores/memory/hash.js'
import type { Limit } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'

const GRID_US = 1_000_000
const terms = { gridUs: GRID_US }
const tokens: Limit = { ...limitOf({ max: 1000, windowUs: 1_000_000 }), lease: terms }
const window: Limit = { ...limitOf({ algorithm: 'fixed-window', max: 1000, windowUs: 1_000_000 }), lease: terms }

function open (limit = tokens) {
  const hasher = new TextHasher(1, 2)
  const leases = new LimitLeases(limit, terms, hasher, { leasedChecks: 0, storeChecks: 0, lapsedUnits: 0, renewals: 0 })
  const of = (partition: string) => {
    hasher.hash(partition)
    return leases
  }
  return {
    of,
    leases,
    spend: (partition: string, cost: number, nowUs: number) => of(partition).spend({ limit, partition, cost }, nowUs),
    meet (partition: string): BucketLeases {
      const bucket = of(partition).meet(partition, 8, 0)
      if (bucket === undefined) throw new Error('not busy')
      return bucket
    }
  }
}

/** A reply with a lease that was asked for at `sentAtUs`. */
function lease (bucket: BucketLeases, units: number, sentAtUs = 0): void {
  const { limit, partition } = bucket
  const lease = { units, lifeUs: 2 * GRID_US, slotEndUs: sentAtUs + 2 * GRID_US, apart: units }
  bucket.receive({ limit, partition, charged: 0, granted: true, remaining: 500, resetUs: 500_000, delayUs: 0, retryUs: 0, blockedUs: 0, lease }, sentAtUs, sentAtUs, sentAtUs)
}

for (const limit of [tokens, window]) {
  t.test(`${limit.algorithm}: units are spent at once until few are left, with the standing of the bucket`, async (t) => {
    const { of, spend, meet } = open(limit)
    t.equal(spend('a', 1, 0), null, 'unknown')
    const bucket = meet('a')
    t.equal(spend('a', 0, 0), null, 'nothing in hand')
    lease(bucket, 20)
    const standing = spend('a', 3, 1000)
    t.strictSame(standing, bucket.createStanding(3, bucket.held[0].id, 1000))
    t.match(standing, { remaining: limit === tokens ? 518 : 517, charged: 3, partition: 'a' })
    t.strictSame([spend('b', 3, 1000), spend('a', 14, 1000), bucket.countLeft(1000)], [null, null, 17], 'few would be left')
    t.equal(spend('a', 12, 1000)?.charged, 12)
    t.equal(spend('a', 1, 1000), null)
    t.equal(of('a').find(), bucket)
  })
}

t.test('a bucket of a limit with long leases is busy with eight units within two seconds', async (t) => {
  const demands = [[0, 0], [0, 1_999_999], [0, 2_000_000]].map((times) => {
    const hasher = new TextHasher(1, 2)
    const leases = new LimitLeases(tokens, { gridUs: 5_000_000 }, hasher, { leasedChecks: 0, storeChecks: 0, lapsedUnits: 0, renewals: 0 })
    hasher.hash('a')
    return times.map((nowUs) => leases.meet('a', 4, nowUs) !== undefined)
  })
  t.strictSame(demands, [[false, true], [false, true], [false, false]])
})

t.test('while more units are asked for, the rest is spent to the last one, and before the end of the lease', async (t) => {
  const { spend, meet } = open()
  const bucket = meet('a')
  lease(bucket, 20)
  bucket.beginAsk(true)
  const { endUs } = bucket.held[0]
  t.strictSame([spend('a', 15, endUs - 1)?.charged, spend('a', 1, endUs), spend('a', 6, 0), spend('a', 5, 0)?.charged], [15, null, null, 5])
  bucket.finishAsk({ isAsking: true, sentAtUs: 0, nowUs: 0 }, null)
  bucket.refund(bucket.held[0].id, 3, 0)
  t.equal(spend('a', 1, 0), null, 'few are left, and more must be asked for')
})

t.test('a next lease is counted, and allows to spend the current one to its end', async (t) => {
  const { spend, meet } = open()
  const bucket = meet('a')
  lease(bucket, 20)
  lease(bucket, 30, 500_000)
  const spendNow = (cost: number) => spend('a', cost, 500_000)
  t.match(spendNow(19), { remaining: 550 - 19 })
  t.strictSame([spendNow(2), spendNow(1)?.charged, spendNow(1)], [null, 1, null], 'the next one has its turn with a look at the bucket')
  t.equal(bucket.spend(1, 500_000), bucket.held[0].id)
  t.equal(spendNow(1)?.leaseId, bucket.held[0].id)
})

t.test('of leases that were ended, nothing is spent', async (t) => {
  const { of, spend, meet } = open()
  const bucket = meet('a')
  lease(bucket, 20)
  bucket.end(false)
  t.equal(spend('a', 1, 0), null)
  lease(bucket, 20)
  of('a').delete()
  t.strictSame([spend('a', 1, 0), of('a').find()], [null, undefined])
  lease(bucket, 40)
  t.equal(spend('a', 1, 0), null, 'also not of one that arrives after a reset')
  const again = meet('a')
  lease(again, 30)
  bucket.spend(5, 0)
  t.strictSame([spend('a', 1, 0)?.holder, again.countLeft(0), bucket.countLeft(0)], [of('a'), 29, 55])
})

t.test('units are given back to the bucket by the standing that they were spent for', async (t) => {
  const { of, spend, meet, leases } = open()
  const [a, b] = [meet('a'), meet('b')]
  lease(a, 20)
  lease(b, 20)
  const standing = spend('a', 5, 0)
  if (standing === null) throw new Error('not spent')
  of('b')
  t.strictSame([leases.refund(standing, 3, 0), a.countLeft(0), b.countLeft(0)], [3, 18, 20])
  t.strictSame([leases.charge(standing, 4, 0), a.countLeft(0), b.countLeft(0)], [4, 14, 20])
  t.equal(leases.refund({ ...standing, leaseId: b.held[0].id }, 1, 0), 0, 'not of the lease of another bucket')
  of('a').delete()
  t.strictSame([leases.refund(standing, 1, 0), leases.charge(standing, 1, 0)], [0, 0], 'of a bucket that is gone, none')
})

t.test('a bucket in use stays, one that is not is dropped with its generation', async (t) => {
  const { of, spend, meet, leases } = open()
  const kept = meet('kept')
  const unused = meet('unused')
  lease(kept, 20)
  lease(unused, 20)
  for (let i = 0; i < 10_000 - 2; i++) meet(`first ${i}`)
  t.equal(spend('kept', 1, 0)?.charged, 1)
  meet('one more')
  t.equal(spend('kept', 1, 0), null, 'it is in the old generation')
  t.equal(of('kept').find(), kept)
  t.strictSame([spend('kept', 1, 0)?.charged, kept.countLeft(0)], [1, 18], 'and moves to the young one with its units')
  t.equal([...leases.buckets()].length, 10_001)
  for (let i = 0; i < 10_000 - 1; i++) meet(`second ${i}`)
  t.strictSame([of('unused').find(), of('kept').find(), spend('kept', 1, 0)?.charged], [undefined, kept, 1])
  lease(unused, 30)
  t.equal(spend('unused', 1, 0), null)
})
