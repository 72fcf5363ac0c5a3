// A check of which units in hand pay for a part, and the store decides the rest.
import t from 'tap'
import { createStoreCheck } from '../../../lib/stores/lease/store-check.js'
import { canLease, type Answer, type Charge, type Limit, type Receipt, type Standing } from '../../../lib/stores/store.js'
import type { LeasedStanding } from '../../../lib/stores/lease/leased-standing.js'
import { limitOf } from '../../fixtures/limits.js'
import { GRID_US, openBucket, tokens } from './open-bucket.js'

const leased: Limit = { ...tokens, lease: { gridUs: GRID_US } }
const plain = limitOf({ bucket: 'app/plain' })

const toCharge = (limit: Limit, cost = 1, strikes?: number): Charge => ({ limit, partition: 'a', cost, ...strikes === undefined ? {} : { strikes } })

function createStanding (limit: Limit, fields: Partial<Standing> = {}): Standing {
  return { limit, partition: 'a', charged: 1, granted: true, remaining: 400, resetUs: 600_000, delayUs: 0, retryUs: 0, blockedUs: 0, ...fields }
}

const createReceipt = (granted: boolean, standings: readonly Standing[], blocks: Receipt['blocks'] = []): Receipt => ({ granted, atUs: 60_000_000, standings, blocks })

/** A busy bucket with ten units in hand, unless others are given. */
function openBusy (limit: Limit = leased, units = 10) {
  const open = openBucket(limit)
  if (units > 0) open.lease(units)
  return open
}

t.test('only a limit with terms is leased', async (t) => {
  t.strictSame([leased, plain, { ...plain, lease: null }].map(canLease), [true, false, false])
})

t.test('units in hand are reserved, and the other charges are sent', async (t) => {
  const { bucket } = openBusy()
  const check = createStoreCheck([toCharge(leased, 4), toCharge(plain)], [bucket, undefined], 0)
  t.strictSame(check.sent, [toCharge(plain)])
  t.equal(bucket.countLeft(0), 6)
  t.equal(bucket.asks.isAskingForLease, false)

  const blocks: string[] = []
  const answer = check.complete(createReceipt(true, [createStanding(plain)], [{ partition: 'b', blockedUs: 1, began: false }]), 0, (partition) => { blocks.push(partition) })
  t.match(answer, { granted: true, atUs: 60_000_000, standings: [{ limit: tokens, charged: 4, granted: true }, createStanding(plain)], blocks: [{ partition: 'b' }] })
  t.strictSame([blocks, bucket.countLeft(0), bucket.held[0].reserved], [['b'], 6, 0])
})

for (const [why, mode, granted, isBlocked, left] of [
  ['a refusal gives them back', 'enforce', false, false, 10],
  ['a limit in shadow mode is charged by itself', 'shadow', false, false, 6],
  ['unless a block refuses the request', 'shadow', false, true, 10]
] as const) {
  t.test(`reserved units: ${why}`, async (t) => {
    const limit = { ...leased, mode }
    const { bucket } = openBusy(limit)
    const check = createStoreCheck([toCharge(plain), toCharge(limit, 4)], [undefined, bucket], 0)
    const blocks = isBlocked ? [{ partition: 'a', blockedUs: 1, began: false }] : []
    const answer = check.complete(createReceipt(granted, [createStanding(plain, { granted })], blocks), 0, () => {})
    t.match(answer, { granted, standings: [{ limit: plain }, { limit, charged: 10 - left }] })
    t.equal(bucket.countLeft(0), left)
  })
}

t.test('without an answer, reserved units come back', async (t) => {
  const [held, asked] = [openBusy(), openBusy(leased, 0)]
  const check = createStoreCheck([toCharge(leased, 4), toCharge(leased)], [held.bucket, asked.bucket], 0)
  t.equal(asked.bucket.asks.isAskingForLease, true)
  const failure: Answer = { unavailable: 'deadline' }
  t.equal(check.complete(failure, 0, () => { t.fail() }), failure)
  t.strictSame([held.bucket.countLeft(0), held.bucket.held[0].reserved], [10, 0])
  const resumed: unknown[] = []
  asked.bucket.asks.wait((answer) => { resumed.push(answer) })
  check.finish(failure, 0)
  t.strictSame([resumed, asked.bucket.asks.isAskingForLease, asked.bucket.asks.canAsk(0)], [[failure], false, false])
})

t.test('units of a lease that ended before the answer are spent, and drain since its end', async (t) => {
  const { bucket, reports } = openBusy(leased, 0)
  const lease = { units: 10, lifeUs: GRID_US, slotEndUs: 1, apart: 10 }
  bucket.receive({ ...createStanding(leased, { remaining: 990, resetUs: 10_000 }), lease }, 60_000_000, 0, 0)
  const [{ endUs }] = bucket.held
  const check = createStoreCheck([toCharge(leased, 4), toCharge(plain)], [bucket, undefined], 0)
  bucket.closeEnded(endUs + 1)
  const answer = check.complete(createReceipt(true, [createStanding(plain)]), endUs + 3000, () => {})
  t.match(answer, { granted: true, standings: [{ limit: tokens, charged: 4 }, createStanding(plain)] })
  const [standing] = 'standings' in answer ? answer.standings : []
  t.equal((standing as LeasedStanding).drainedUs, 1000, 'four of its milliseconds, less three')
  t.strictSame(reports(endUs + 3000).map(({ spent, returned }) => [spent, returned]), [[0, 0], [4, 0]])
})

t.test('a bucket without units in hand asks for a lease, and takes it over', async (t) => {
  const { bucket, learned } = openBusy(leased, 0)
  const check = createStoreCheck([toCharge(leased, 3, 0)], [bucket], 0)
  t.match(check.sent, [{ limit: leased, partition: 'a', cost: 3, strikes: 0, lease: { gridUs: GRID_US, want: 20 } }])
  const lease = { units: 12, lifeUs: GRID_US, slotEndUs: 1, apart: 12 }
  const standing = { ...createStanding(leased, { charged: 3 }), lease }
  const answer = check.complete(createReceipt(true, [standing]), 500, () => {})
  t.equal('standings' in answer && answer.standings[0], standing)
  t.strictSame([bucket.countLeft(500), bucket.held[0].endUs, learned], [12, GRID_US - 1000, ['3 used']])
  t.equal(bucket.asks.isAskingForLease, true, 'until it is finished')
  check.finish(answer, 500)
  t.strictSame([bucket.asks.isAskingForLease, bucket.asks.canAsk(500), bucket.asks.isScarce], [false, true, false])
})

t.test('what the store says of a bucket is noted', async (t) => {
  const { bucket } = openBusy(leased, 0)
  const check = createStoreCheck([toCharge(leased)], [bucket], 1000)
  const answer = check.complete(createReceipt(false, [createStanding(leased, { granted: false, remaining: 0, retryUs: 300, atUs: 70_000_000 })]), 1200, () => {})
  check.finish(answer, 1200)
  t.strictSame([bucket.asks.isScarce, bucket.asks.isEmpty(1299), bucket.asks.isEmpty(1300)], [true, true, false])
  t.strictSame([bucket.asks.canAsk(101_199), bucket.asks.canAsk(101_200)], [false, true])
  const again = createStoreCheck([toCharge(leased)], [bucket], 1250)
  t.strictSame(again.sent, [toCharge(leased)], 'the refusal of a moment ago would lose reports')
  t.equal(bucket.createStanding(0, 1, 1200).atUs, 70_000_000, 'by the clock of its own node')
})

t.test('a lease that was asked for and not granted is not asked for again at once', async (t) => {
  const { bucket } = openBusy(leased, 0)
  const check = createStoreCheck([toCharge(leased)], [bucket], 0)
  check.finish(check.complete(createReceipt(true, [createStanding(leased)]), 0, () => {}), 0)
  t.strictSame([bucket.asks.canAsk(4999), bucket.asks.canAsk(5000)], [false, true])
})

t.test('no lease is asked for along with a limit that is not leased', async (t) => {
  const { bucket } = openBusy(leased, 0)
  const check = createStoreCheck([toCharge(leased), toCharge(plain)], [bucket, undefined], 0)
  t.match(check.sent, [{ lease: { want: 0 } }, toCharge(plain)])
  t.equal(bucket.asks.isAskingForLease, false)
  check.finish(check.complete(createReceipt(true, [createStanding(leased), createStanding(plain)]), 0, () => {}), 0)
  t.equal(bucket.asks.canAsk(0), true)
})

t.test('nor by a bucket that is not busy any more', async (t) => {
  const { bucket } = openBucket(leased, { countDemand: () => false })
  t.match(createStoreCheck([toCharge(leased)], [bucket], 0).sent, [{ lease: { want: 0 } }])
})

t.test('the store decides a charge with strikes, and a bucket that is charged twice', async (t) => {
  const struck = openBusy()
  t.equal(createStoreCheck([toCharge(leased, 1, 2)], [struck.bucket], 0).sent[0].strikes, 2)
  t.equal(struck.bucket.countLeft(0), 10)
  const twice = openBusy()
  t.equal(createStoreCheck([toCharge(leased), toCharge(leased)], [twice.bucket, twice.bucket], 0).sent.length, 2)
  t.equal(twice.bucket.countLeft(0), 10)
  const both = [openBusy(), openBusy()]
  t.strictSame(createStoreCheck([toCharge(leased), toCharge(leased)], both.map(({ bucket }) => bucket), 0).sent, [])
  t.strictSame(createStoreCheck([toCharge(plain), toCharge(plain)], [undefined, undefined], 0).sent.length, 2)
})
