// Which buckets are known as busy, of which limits.
import t from 'tap'
import { LeaseBook } from '../../../lib/stores/lease/lease-book.js'
import type { BucketLeases } from '../../../lib/stores/lease/bucket-leases.js'
import { TextHasher } from '../../../lib/stores/memory/hash.js'
import type { Limit } from '../../../lib/stores/store.js'
import { limitOf, penaltyWith } from '../../fixtures/limits.js'

const GRID_US = 1_000_000
const counters = { leasedChecks: 0, storeChecks: 0, lapsedUnits: 0, renewals: 0 }
const open = () => new LeaseBook(new TextHasher(1, 2), counters)

function leased (settings: Parameters<typeof limitOf>[0] = {}): Limit {
  return { ...limitOf({ max: 1000, windowUs: 1_000_000, ...settings }), lease: { gridUs: GRID_US } }
}

/** Use units as a check does: it looks before it counts. */
function use (book: LeaseBook, limit: Limit, partition: string, units: number, nowUs = 0): BucketLeases | undefined {
  return book.find(limit, partition) ?? book.meet(limit, partition, units, nowUs)
}

function meetBusy (book: LeaseBook, limit: Limit, partition: string): BucketLeases {
  const bucket = use(book, limit, partition, 8)
  if (bucket === undefined) throw new Error('not busy')
  return bucket
}

/** Give a bucket a lease that was asked for now. */
function lease (bucket: BucketLeases, units: number): void {
  const { limit, partition } = bucket
  const lease = { units, lifeUs: GRID_US, slotEndUs: GRID_US, apart: units }
  bucket.receive({ limit, partition, charged: 0, granted: true, remaining: 500, resetUs: 500_000, delayUs: 0, retryUs: 0, blockedUs: 0, lease }, 0, 0, 0)
}

t.test('a bucket is busy with eight units in two grids', async (t) => {
  const [book, limit] = [open(), leased()]
  t.strictSame([use(book, limit, 'a', 3), use(book, limit, 'a', 4), use(book, limit, 'b', 7)], [undefined, undefined, undefined])
  const bucket = use(book, limit, 'a', 1, 2 * GRID_US - 1)
  t.match(bucket, { limit, partition: 'a' })
  t.equal(book.find(limit, 'a'), bucket)
  t.equal(book.find(limit, 'b'), undefined)
  t.equal(use(book, limit, 'b', 7, 2 * GRID_US), undefined, 'two grids later')
  t.equal(use(book, limitOf(), 'a', 100), undefined, 'a limit that is not leased')
  t.equal(use(book, { ...limit, lease: null }, 'a', 100), undefined)
})

t.test('a bucket that is busy has asked for what it used before', async (t) => {
  const [book, limit] = [open(), leased()]
  use(book, limit, 'a', 4)
  const bucket = use(book, limit, 'a', 5)
  t.equal(bucket?.countDemand(3, 0), false, 'four before the check that made it busy')
  t.equal(bucket?.countDemand(1, 0), true)
})

t.test('buckets of a limit are renewed at different times', async (t) => {
  const [book, limit] = [open(), leased()]
  const renewsAt = ['a', 'b', 'c'].map((partition) => {
    const bucket = meetBusy(book, limit, partition)
    for (let grid = 1; grid < 60; grid++) {
      bucket.receive({ limit, partition, charged: 1000, granted: true, remaining: 500, resetUs: 500_000, delayUs: 0, retryUs: 0, blockedUs: 0 }, 0, 0, 0)
      bucket.createRequest(false, grid * GRID_US)
    }
    lease(bucket, 900)
    return Array.from({ length: 100 }, (_, i) => i * GRID_US / 100).find((nowUs) => bucket.shouldRenew(nowUs))
  })
  t.strictSame(renewsAt, [970_000, 370_000, 750_000])
})

t.test('several limits may use one bucket', async (t) => {
  const book = open()
  const [one, other, apart] = [leased(), leased(), leased({ bucket: 'app/apart' })]
  const buckets = [one, other, apart].map((limit) => meetBusy(book, limit, 'a'))
  t.strictSame(book.findAll(one, 'a'), buckets.slice(0, 2))
  t.strictSame(book.findAll(one, 'b'), [])
  for (const bucket of buckets) lease(bucket, 10)
  const held = book.findHeld(one, 'a')
  buckets[0].spend(4, 0)
  const standing = { limit: one, partition: 'a', charged: 0, granted: true, remaining: 400, resetUs: 500_000, delayUs: 0, retryUs: 0, blockedUs: 0 }
  t.match(held(standing, 0), { remaining: 416, resetUs: 484_000 })

  book.forget(one, 'b')
  t.equal(book.findAll(one, 'a').length, 2)
  book.forget(one, 'a')
  t.strictSame([book.findAll(one, 'a'), book.find(one, 'a'), book.find(other, 'a')], [[], undefined, undefined])
  t.strictSame(buckets.map((bucket) => bucket.countLeft(0)), [0, 0, 10])
  t.equal(book.find(apart, 'a'), buckets[2])
})

t.test('a block ends the leases of limits with a penalty', async (t) => {
  const book = open()
  const [plain, shared] = [leased(), leased({ by: 'global', penalty: penaltyWith(), bucket: 'app/shared' })]
  const buckets = [plain, shared].map((limit) => meetBusy(book, limit, 'a'))
  t.equal(book.hasPenalties, false, 'no single client causes the refusals of all')
  const penal = leased({ penalty: penaltyWith(), bucket: 'app/penal' })
  buckets.push(meetBusy(book, penal, 'a'), meetBusy(book, penal, 'b'))
  t.equal(book.hasPenalties, true)
  for (const bucket of buckets) lease(bucket, 10)
  book.endPenalized('somebody')
  t.equal(buckets[2].countLeft(0), 10)
  book.endPenalized('a')
  t.strictSame(buckets.map((bucket) => bucket.countLeft(0)), [10, 10, 0, 10])
  t.equal(buckets[2].hasReports, false, 'its units lapse')
})

t.test('busy buckets are listed, all or of one algorithm, until they are cleared', async (t) => {
  const book = open()
  const tokens = meetBusy(book, leased(), 'a')
  const limit = leased({ algorithm: 'fixed-window', bucket: 'app/window', penalty: penaltyWith() })
  const windows = [meetBusy(book, limit, 'a'), meetBusy(book, limit, 'b')]
  t.strictSame([...book.buckets()], [tokens, ...windows])
  t.strictSame([...book.buckets('fixed-window')], windows)
  t.strictSame([...book.buckets('sliding-window')], [])
  book.clear()
  t.strictSame([[...book.buckets()], book.find(limit, 'b'), book.hasPenalties], [[], undefined, false])
  t.equal(use(book, limit, 'b', 7), undefined, 'and are met again')
})
