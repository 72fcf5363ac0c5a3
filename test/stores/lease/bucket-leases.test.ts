// The leases of one bucket: which of them pays, and until when.
import t from 'tap'
import { NOTHING, openBucket, report, tokens, window } from './open-bucket.js'

t.test('units are spent from the current lease, then from the next one', async (t) => {
  const { bucket, lease, spend } = openBucket()
  t.equal(bucket.spend(0, 0), null)
  lease(10)
  lease(5, 50_000)
  t.strictSame([bucket.countLeft(0), bucket.held.map(({ left }) => left)], [15, [10, 5]])
  t.strictSame([bucket.spend(16, 0), bucket.countLeft(0)], [null, 15])
  const [current, next] = bucket.held
  t.equal(spend(4, 0), current.id)
  t.equal(spend(8, 0), next.id, 'across both')
  t.strictSame([bucket.countLeft(0), current.left, next.left], [3, 0, 3])
  t.equal(bucket.spend(4, 0), null)
  t.equal(bucket.countLeft(0), 3, 'and nothing was spent')
  t.equal(spend(3, 0), next.id)
  t.strictSame([bucket.countLeft(0), bucket.held], [0, [next]])
  t.equal(bucket.spend(1, 0), null)
})

t.test('the last unit is spent across leases', async (t) => {
  const { bucket, lease, spend } = openBucket()
  lease(10)
  lease(5, 50_000)
  const [, next] = bucket.held
  t.equal(spend(15, 0), next.id)
  t.equal(bucket.countLeft(0), 0)
})

t.test('a cost that the current lease covers is not spent from the next one', async (t) => {
  const { bucket, lease, spend } = openBucket()
  lease(10)
  lease(5, 50_000)
  const [current] = bucket.held
  t.equal(spend(10, 0), current.id)
  t.equal(bucket.countLeft(0), 5)
})

t.test('a lease is spent until its end, and no other one after it', async (t) => {
  const { bucket, lease, spend, counters, learned } = openBucket()
  lease(10)
  lease(5, 50_000)
  const [current, next] = bucket.held
  t.equal(spend(1, 99_000), current.id)
  t.equal(bucket.spend(1, 99_001), next.id)
  t.strictSame([counters.lapsedUnits, bucket.countLeft(99_001), learned], [9, 4, ['9 of 10 lapsed', '1 used']])
  t.equal(bucket.spend(1, 149_001), null)
  t.strictSame([counters.lapsedUnits, bucket.held], [13, []])
})

t.test('two leases that ended are both closed, and one that ends now is not', async (t) => {
  const { bucket, lease, counters } = openBucket()
  lease(10)
  lease(5, 50_000)
  bucket.closeEnded(149_000)
  t.strictSame([counters.lapsedUnits, bucket.countLeft(149_000)], [10, 5])
  lease(7, 100_000, 149_001)
  t.strictSame([counters.lapsedUnits, bucket.held.map(({ size }) => size)], [15, [7]])
  const both = openBucket()
  both.lease(10)
  both.lease(5, 50_000)
  both.bucket.closeEnded(149_001)
  t.strictSame([both.counters.lapsedUnits, both.bucket.held, both.learned], [15, [], ['10 of 10 lapsed', '5 of 5 lapsed']])
})

t.test('a next lease that ended earlier pays for nothing', async (t) => {
  const { bucket, lease } = openBucket()
  lease(10, 50_000)
  lease(5, 0, 50_000)
  t.equal(bucket.spend(12, 99_001), null)
  t.strictSame([bucket.countLeft(99_001), bucket.held.length], [10, 1])
})

t.test('a lease that is not renewed is spent until its end', async (t) => {
  const { bucket, lease } = openBucket(tokens, { isSlow: true })
  lease(10)
  t.strictSame([bucket.row.spend(1, 98_999), bucket.row.spend(1, 99_000)], [true, false])
  t.equal(bucket.spend(1, 99_000), bucket.held[0].id)
  t.strictSame([bucket.spend(1, 99_001), bucket.held], [null, []])
})

t.test('a lease with reserved units is not used for the next one', async (t) => {
  const { bucket, lease, spend } = openBucket()
  lease(10)
  const reserved = bucket.reserve(4, 0)
  bucket.end(false)
  lease(20)
  spend(5, 0)
  t.not(bucket.held[0], reserved)
  if (reserved !== null) bucket.settle(reserved, 4, false, 0)
  t.strictSame([bucket.countLeft(0), reserved?.size, reserved?.isSettled], [15, 10, true])
  bucket.end(false)
  lease(30)
  t.strictSame([bucket.held.map(({ size, left }) => [size, left]), bucket.refund(1, 3, 0)], [[[30, 30]], 0])
})

t.test('a lease that arrives after its end, or when nothing is left, closes at once', async (t) => {
  const { bucket, lease, spend, counters } = openBucket()
  lease(10, 0, 99_001)
  t.strictSame([counters.lapsedUnits, bucket.held], [10, []])
  lease(10, 1, 99_001)
  t.strictSame([counters.lapsedUnits, bucket.countLeft(99_001)], [10, 10], 'at its end it is in hand')
  const { bucket: other, lease: leaseOther, spend: spendOther } = openBucket()
  leaseOther(10)
  spendOther(10, 0)
  leaseOther(5, 50_000)
  t.strictSame(other.held.map(({ size }) => size), [5])
  spend(10, 99_001)
})

t.test('reserved units keep their lease in hand', async (t) => {
  const { bucket, lease } = openBucket()
  lease(10)
  t.equal(bucket.reserve(11, 0), null)
  const reserved = bucket.reserve(10, 0)
  t.equal(reserved, bucket.held[0])
  t.strictSame([reserved?.left, reserved?.reserved], [0, 10])
  lease(5, 50_000)
  t.strictSame(bucket.held.map(({ size }) => size), [10, 5])
  t.equal(bucket.reserve(1, 0), null, 'the next lease is not reserved')
  t.equal(bucket.held.length, 2)
  if (reserved !== null) bucket.settle(reserved, 10, false, 0)
  t.strictSame([bucket.countLeft(0), reserved?.reserved], [15, 0])
})

t.test('a reservation that is spent counts as used, one that is not does not', async (t) => {
  for (const [isSpent, left, resetUs] of [[true, 6, 494_000], [false, 10, 490_000]] as const) {
    const { bucket, lease } = openBucket()
    lease(10)
    const reserved = bucket.reserve(4, 0)
    if (reserved === null) throw new Error('not reserved')
    bucket.settle(reserved, 4, isSpent, 0)
    t.strictSame([bucket.countLeft(0), bucket.createStanding(0, reserved.id, 0).resetUs], [left, resetUs])
  }
})

for (const [limit, isSpent, lapsed, expected] of [
  [tokens, true, 6, [NOTHING, report(1000, 4)]],
  [tokens, false, 10, [NOTHING, NOTHING]],
  [window, true, 0, [NOTHING, report(1000, 0, 6)]],
  [window, false, 0, [NOTHING, report(1000, 0, 10)]]
] as const) {
  t.test(`${limit.algorithm}: a reservation that is ${isSpent ? 'spent' : 'given back'} after the end of its lease is reported once`, async (t) => {
    const { bucket, lease, counters, reports } = openBucket(limit)
    lease(10)
    const reserved = bucket.reserve(4, 0)
    if (reserved === null) throw new Error('not reserved')
    bucket.closeEnded(99_001)
    t.strictSame([bucket.held, reserved.left, reserved.isSettled], [[], 0, false])
    bucket.settle(reserved, 4, isSpent, 99_001)
    t.strictSame([counters.lapsedUnits, reports(99_001), reserved.isSettled], [lapsed, expected, true])
  })
}

t.test('units go back to the lease that paid, while it is in hand', async (t) => {
  const { bucket, lease, spend } = openBucket()
  lease(10)
  lease(5, 50_000)
  const [current, next] = bucket.held
  spend(12, 0)
  t.strictSame([bucket.refund(next.id, 9, 0), bucket.refund(current.id, 3, 0)], [2, 3])
  t.strictSame([bucket.held.map(({ left }) => left), bucket.createStanding(0, current.id, 0).resetUs], [[3, 5], 542_000], 'of the reply 50 ms later')
  bucket.end(false)
  t.strictSame([bucket.refund(current.id, 1, 0), bucket.refund(next.id, 1, 0), current.left], [0, 0, 0])
})

t.test('units that were used without a check are charged as far as they are in hand', async (t) => {
  const { bucket, lease } = openBucket()
  t.equal(bucket.charge(3, 0), 0)
  lease(10)
  lease(5, 50_000)
  t.strictSame([bucket.charge(12, 0), bucket.countLeft(0)], [12, 3])
  t.strictSame([bucket.charge(12, 0), bucket.countLeft(0)], [3, 0])
  t.strictSame([bucket.charge(12, 0), bucket.charge(0, 0)], [0, 0])
})

t.test('a lease that is used up is in hand until there is a next one, for refunds', async (t) => {
  const { bucket, lease, spend } = openBucket()
  lease(10)
  const [current] = bucket.held
  spend(10, 0)
  t.equal(bucket.reserve(1, 0), null)
  t.strictSame([bucket.held, bucket.refund(current.id, 3, 0), bucket.countLeft(0)], [[current], 3, 3])
})
