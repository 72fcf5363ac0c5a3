// What is asked for, and what the store learns, of the leases of one bucket. Sizes are given by the test.
import t from 'tap'
import { GRID_US, NO_HOLDER, NOTHING, openBucket, report, STORE_US, tokens, window } from './open-bucket.js'

t.test('more is asked for when few units are left, or soon before the end', async (t) => {
  const { bucket, lease, spend } = openBucket()
  t.equal(bucket.shouldRenew(0), false)
  lease(10)
  t.strictSame([0, 68_999, 69_000].map((nowUs) => bucket.shouldRenew(nowUs)), [false, false, true])
  spend(7, 0)
  t.equal(bucket.shouldRenew(0), false)
  spend(1, 0)
  t.equal(bucket.shouldRenew(0), true)
  bucket.asks.begin(true)
  t.equal(bucket.shouldRenew(0), false, 'not while it is asked for')
  bucket.asks.finish({ isAsking: true, sentAtUs: 0, nowUs: 0 }, null)
  lease(5, 50_000)
  t.equal(bucket.shouldRenew(0), false, 'nor while a next lease is in hand')
})

t.test('units in hand suffice for as long as the pace allows, and their lease lives', async (t) => {
  const { bucket, lease, spend } = openBucket()
  t.equal(bucket.lastsUs(0), 0)
  lease(9)
  t.strictSame([bucket.lastsUs(0), bucket.lastsUs(60_000)], [90_000, 39_000])
  spend(4, 0)
  t.equal(bucket.lastsUs(0), 50_000)
})

t.test('a slow bucket is not renewed', async (t) => {
  const { bucket, lease, spend } = openBucket(tokens, { isSlow: true })
  lease(10)
  spend(10, 0)
  t.strictSame([bucket.shouldRenew(0), bucket.shouldRenew(99_000)], [false, false])
})

t.test('a request asks for what will not be in hand, and reports what was spent', async (t) => {
  const { bucket, lease, spend, learned } = openBucket()
  t.strictSame(bucket.createRequest(true, 0), { gridUs: GRID_US, want: 20, soon: 3, reports: [NOTHING, NOTHING] })
  lease(10)
  spend(4, 0)
  // Four of six will be used in the 40 ms until its end.
  t.strictSame(bucket.createRequest(true, 59_000), { gridUs: GRID_US, want: 16, soon: 3, reports: [NOTHING, report(1000, 4)] })
  t.strictSame(learned, ['4 used'])
  spend(1, 0)
  t.strictSame(bucket.createRequest(true, 0), { gridUs: GRID_US, want: 15, soon: 3, reports: [NOTHING, report(1000, 1)] }, 'each unit once')
  t.strictSame(learned, ['4 used', '1 used', 'half of 10 used'])
  t.equal(bucket.held[0].isSettled, false)
})

t.test('a request asks for nothing while a lease is next, or where none may be had', async (t) => {
  const { bucket, lease } = openBucket(tokens, { soon: 30 })
  const want = (mayLease = true) => {
    const request = bucket.createRequest(mayLease, 0)
    return [request.want, request.soon]
  }
  t.strictSame([want(), want(false)], [[20, 20], [0, 0]])
  lease(10)
  t.strictSame(want(), [11, 11])
  lease(5, 50_000)
  t.strictSame(want(), [0, 0])
})

t.test('the store decides without leases where nothing is in hand, asked for or to report', async (t) => {
  const { bucket, lease, spend, learned, reports } = openBucket()
  t.strictSame([bucket.isUnleased(7, 0), learned], [true, ['7 idle']])
  bucket.asks.begin(true)
  t.equal(bucket.isUnleased(7, 0), false, 'asked for')
  bucket.asks.finish({ isAsking: true, sentAtUs: 0, nowUs: 0 }, null)
  lease(10)
  t.equal(bucket.isUnleased(7, 0), false, 'in hand')
  spend(10, 0)
  t.equal(bucket.isUnleased(7, 0), false, 'to report')
  reports(0)
  t.equal(bucket.isUnleased(7, 0), true, 'settled')
  lease(10)
  const reserved = bucket.reserve(10, 0)
  lease(5, 50_000)
  if (reserved !== null) reserved.reported = 10
  t.equal(bucket.isUnleased(7, 0), false, 'next')
  bucket.end(true)
  t.strictSame([bucket.hasReports, bucket.isUnleased(7, 0)], [true, false])
  reports(0)
  t.equal(bucket.isUnleased(7, 0), true)
})

t.test('a bucket that is busy, or scarce for so long that it is asked again, is not decided without leases', async (t) => {
  const busy = openBucket(tokens, { countIdle: () => false })
  t.equal(busy.bucket.isUnleased(7, 0), false)
  const scarce = openBucket()
  const refusal = { limit: tokens, partition: 'a', charged: 0, granted: false, remaining: 0, resetUs: 0, delayUs: 0, retryUs: 1000, blockedUs: 0 }
  scarce.bucket.asks.note(refusal, false, { isAsking: false, sentAtUs: 0, nowUs: 0 })
  t.strictSame([999, 1000, 99_999, 100_000].map((nowUs) => scarce.bucket.isUnleased(7, nowUs)), [true, true, true, false])
  t.strictSame(scarce.learned, [])
  const empty = openBucket(tokens, { countIdle: () => false })
  empty.bucket.asks.note(refusal, false, { isAsking: false, sentAtUs: 0, nowUs: 0 })
  empty.bucket.asks.note({ ...refusal, granted: true, remaining: 5 }, true, { isAsking: false, sentAtUs: 0, nowUs: 0 })
  t.strictSame([empty.bucket.isUnleased(7, 999), empty.bucket.isUnleased(7, 1000)], [true, false])
})

t.test('leases that end are given back or lapse', async (t) => {
  for (const [isReturned, lapsed, expected] of [[true, 0, [report(1000, 4, 6), report(51_000, 0, 5)]], [false, 11, [NOTHING, report(1000, 4)]]] as const) {
    const { bucket, lease, spend, counters, reports } = openBucket()
    bucket.end(isReturned)
    lease(10)
    lease(5, 50_000)
    spend(4, 0)
    bucket.end(isReturned)
    t.strictSame([bucket.held, bucket.countLeft(0), counters.lapsedUnits, bucket.hasReports], [[], 0, lapsed, true])
    t.strictSame(reports(0), expected)
  }
})

t.test('of a bucket that was reset nothing is reported', async (t) => {
  const { bucket, lease, spend, counters } = openBucket()
  lease(10)
  spend(4, 0)
  bucket.forget()
  t.strictSame([bucket.held, bucket.hasReports, counters.lapsedUnits], [[], false, 6])
})

for (const [limit, expected] of [[tokens, [NOTHING, report(1000, 4)]], [window, [NOTHING, report(1000, 0, 6)]]] as const) {
  t.test(`${limit.algorithm}: the store learns of a lease that is over`, async (t) => {
    const { bucket, lease, spend, counters, learned } = openBucket(limit)
    lease(10)
    spend(4, 0)
    t.equal(bucket.closeEnded(99_000), false)
    t.equal(bucket.closeEnded(99_001), true)
    t.strictSame(bucket.createRequest(false, 99_001).reports, expected)
    t.strictSame([counters.lapsedUnits, learned], [limit === tokens ? 6 : 0, ['6 of 10 lapsed', '4 used']])
    t.equal(bucket.closeEnded(99_001), false)
  })
}

t.test('a lease of which half was used is worth a larger one', async (t) => {
  for (const [spent, expected] of [[4, ['6 of 10 lapsed', '4 used']], [5, ['5 of 10 lapsed', 'half of 10 used', '5 used']]] as const) {
    const { bucket, lease, spend, learned } = openBucket()
    lease(10)
    spend(spent, 0)
    bucket.closeEnded(99_001)
    t.strictSame(learned, expected)
  }
})

t.test('a standing tells what is left in the bucket and in hand', async (t) => {
  const { bucket, lease, learned } = openBucket()
  lease(10)
  lease(5, 50_000)
  const [current] = bucket.held
  // 500 ms of the reply, of which 15 units are unspent.
  t.strictSame(bucket.createStanding(3, current.id, 50_000), {
    limit: tokens,
    partition: 'a',
    charged: 3,
    atUs: STORE_US + 50_000,
    granted: true,
    remaining: 515,
    resetUs: 485_000,
    delayUs: 0,
    retryUs: 0,
    blockedUs: 0,
    leaseId: current.id,
    holder: NO_HOLDER,
    drainedUs: 494_999
  })
  t.strictSame(learned, [])
  const seen = { limit: tokens, partition: 'a', charged: 2, granted: true, remaining: 400, resetUs: 600_000, delayUs: 0, retryUs: 0, blockedUs: 0 }
  t.match(bucket.addLeft(seen, bucket.held.map(({ id }) => id), 99_001), { remaining: 405, resetUs: 595_000 })
  bucket.receive(seen, STORE_US + 60_000, 60_000, 60_000)
  t.match(bucket.createStanding(0, current.id, 60_000), { remaining: 415, resetUs: 585_000 })
  t.strictSame(learned, ['2 used'])
})

t.test('a lease that is used up is closed by the next one, and has not lapsed', async (t) => {
  const { bucket, lease, spend, learned, reports } = openBucket()
  lease(10)
  spend(10, 0)
  lease(5, 50_000, 99_000)
  t.strictSame([bucket.held.map(({ size }) => size), learned, reports(99_000)], [[5], ['half of 10 used', '10 used'], [NOTHING, report(1000, 10)]])
})
