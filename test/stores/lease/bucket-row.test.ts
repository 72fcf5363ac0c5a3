// What a process knows of a bucket between two replies of the store.
import t from 'tap'
import { AHEAD, BucketRow, LEFT } from '../../../lib/stores/lease/bucket-row.js'
import { createRows, ROW_WORDS } from '../../../lib/stores/lease/bucket-table.js'
import type { LeaseStanding } from '../../../lib/stores/redis/wire-format.js'
import type { Limit } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'
import { NO_HOLDER } from './open-bucket.js'

const NOW_US = 1_000_000
const STORE_US = 9_000_000
const TIMES = { atUs: STORE_US, sentAtUs: NOW_US, nowUs: NOW_US }
const tokens = limitOf({ max: 1000, windowUs: 1_000_000 })
const window = limitOf({ algorithm: 'fixed-window', max: 1000, windowUs: 1_000_000 })

function createReply (limit: Limit, remaining: number, resetUs: number, apart?: number): LeaseStanding {
  const standing = { limit, partition: 'a', charged: 1, granted: true, remaining, resetUs, delayUs: 0, retryUs: 0, blockedUs: 0 }
  return apart === undefined ? standing : { ...standing, lease: { units: 8, lifeUs: 1, slotEndUs: 1, apart } }
}

/** The second one of three rows. */
function createRow (limit: Limit, rows = createRows(3)): BucketRow {
  return new BucketRow(limit, NO_HOLDER).select(rows, 1)
}

/** 600 of 1000 units are used, of which 50 are leased, 20 of them by this process. */
function createKnown (): BucketRow {
  const row = createRow(tokens)
  row.update(createReply(tokens, 400, 600_000, 50), 20, TIMES)
  return row
}

const stand = (row: BucketRow, nowUs: number) => row.createStanding('a', 3, 17, nowUs)
const resetUs = (row: BucketRow, nowUs: number) => stand(row, nowUs).resetUs
const drainedUs = (row: BucketRow, nowUs: number) => stand(row, nowUs).drainedUs

t.test('a standing has the time of the store, which follows the clock of the process', async (t) => {
  const standing = stand(createKnown(), NOW_US + 100)
  t.match(standing, { limit: tokens, partition: 'a', charged: 3, atUs: STORE_US + 100, granted: true, delayUs: 0, retryUs: 0, blockedUs: 0 })
  t.strictSame([standing.leaseId, standing.holder], [17, NO_HOLDER])
})

t.test('unspent units of this process are not used yet', async (t) => {
  const row = createKnown()
  t.strictSame([NOW_US, NOW_US + 579_999, NOW_US + 580_001].map((nowUs) => resetUs(row, nowUs)), [580_000, 1, 0])
  row.use(3, NOW_US)
  t.equal(resetUs(row, NOW_US), 583_000)
  row.use(-2, NOW_US)
  t.equal(resetUs(row, NOW_US), 581_000)
  row.use(2, NOW_US + 5_000_000)
  t.equal(resetUs(row, NOW_US + 5_000_000), 2000, 'a bucket that was full again')
})

t.test('units have drained no earlier than those of all processes', async (t) => {
  const row = createKnown()
  t.equal(drainedUs(row, NOW_US), 549_999)
  row.use(3, NOW_US)
  t.equal(drainedUs(row, NOW_US), 552_999)
  row.update(createReply(tokens, 300, 700_000), 20, TIMES)
  t.equal(drainedUs(row, NOW_US), 552_999, 'a reply without a lease says nothing of the leases of others')
  t.equal(drainedUs(row, NOW_US + 1_000_000), 0)
  row.use(2, NOW_US + 5_000_000)
  t.equal(drainedUs(row, NOW_US + 5_000_000), 2000)
})

t.test('those of a late reply drain from when its call was sent', async (t) => {
  const row = createRow(tokens)
  row.update(createReply(tokens, 400, 600_000, 50), 20, { ...TIMES, sentAtUs: NOW_US - 100_000 })
  t.strictSame([drainedUs(row, NOW_US), resetUs(row, NOW_US)], [449_999, 580_000])
})

t.test('reserved units of a lease that ended before they were spent drain since its end', async (t) => {
  const endUs = NOW_US + 10_000
  const settleAt = (nowUs: number, usedBefore = 0) => {
    const row = createRow(tokens)
    if (usedBefore > 0) row.use(usedBefore, NOW_US)
    row.settle(30, endUs, nowUs)
    return [resetUs(row, nowUs), drainedUs(row, nowUs)]
  }
  t.strictSame([settleAt(endUs), settleAt(endUs, 100)], [[30_000, 30_000], [120_000, 120_000]], 'in time')
  t.strictSame(settleAt(endUs + 1), [29_999, 29_999])
  t.strictSame(settleAt(endUs + 25_000), [5000, 5000])
  t.strictSame(settleAt(endUs + 40_000), [0, 0])
  t.strictSame(settleAt(endUs + 25_000, 100), [65_000, 65_000], 'later than what was used before')
})

t.test('parts of a microsecond are rounded to the side that promises less', async (t) => {
  const limit = limitOf({ max: 7, windowUs: 1_000_000 })
  const row = createRow(limit)
  row.use(1, 0)
  t.strictSame([resetUs(row, 0), drainedUs(row, 0)], [142_858, 142_857])
  t.match(row.addLeft(createReply(limit, 2, 500_000), 1), { remaining: 3, resetUs: 357_143 })
})

t.test('what can be taken is free in the bucket or in hand', async (t) => {
  const row = createKnown()
  const remaining = (left: number, ahead: number, nowUs: number) => {
    row.setUnits(LEFT, left)
    row.setUnits(AHEAD, ahead)
    return stand(row, nowUs).remaining
  }
  t.strictSame([remaining(0, 0, NOW_US), remaining(0, 0, NOW_US - 1)], [420, 419])
  t.strictSame([remaining(500, 0, NOW_US), remaining(300, 200, NOW_US)], [500, 500])
  t.strictSame([remaining(0, 0, NOW_US + 580_000), remaining(0, 0, NOW_US + 9_000_000)], [1000, 1000])
  row.use(2000, NOW_US)
  t.equal(remaining(0, 0, NOW_US), 0)
})

t.test('a window keeps what is free until it ends', async (t) => {
  const row = createRow(window)
  row.update(createReply(window, 400, 600_000, 0), 20, TIMES)
  t.strictSame([NOW_US, NOW_US + 700_000].map((nowUs) => resetUs(row, nowUs)), [600_000, 0])
  row.use(3, NOW_US)
  row.settle(3, NOW_US, NOW_US + 5)
  t.strictSame([resetUs(row, NOW_US), drainedUs(row, NOW_US)], [600_000, 600_000], 'its units come back with its end')
  t.strictSame([[0, 0], [20, 0], [600, 100], [1500, 500]].map(([left, ahead]) => {
    row.setUnits(LEFT, left)
    row.setUnits(AHEAD, ahead)
    return stand(row, NOW_US).remaining
  }), [400, 420, 1000, 2000])
})

t.test('units are spent within the bounds, and only there', async (t) => {
  const row = createKnown()
  t.equal(row.spend(0, 0), false)
  row.setUnits(LEFT, 10)
  row.setBounds(17, 2, NOW_US)
  t.strictSame([row.spend(8, NOW_US - 1), row.spend(7, NOW_US), row.getUnits(LEFT), row.leaseId], [false, false, 10, 17])
  t.equal(row.spend(7, NOW_US - 1), true)
  t.strictSame([row.getUnits(LEFT), resetUs(row, NOW_US - 1), drainedUs(row, NOW_US)], [3, 587_001, 556_999])
  row.setBounds(18, -1, NOW_US)
  t.strictSame([row.spend(4, NOW_US - 1), row.spend(3, NOW_US - 1), row.getUnits(LEFT), row.leaseId], [false, true, 0, 18])
})

t.test('numbers move to another row, and no row disturbs its neighbours, or the hash', async (t) => {
  const [from, to] = [createRows(3), createRows(3)]
  const row = createRow(tokens, from)
  from.words.fill(9, ROW_WORDS, ROW_WORDS + LEFT)
  row.update(createReply(tokens, 400, 600_000, 50), 20, TIMES)
  row.setUnits(LEFT, 10)
  row.setUnits(AHEAD, 5)
  row.setBounds(17, 2, NOW_US + 1)
  const before = stand(row, NOW_US)
  row.moveTo(to, 2)
  t.ok(from.words.every((word, at) => word === 0 || Math.floor(at / ROW_WORDS) === 1))
  from.words.fill(0)
  t.strictSame(stand(row, NOW_US), before)
  t.strictSame([row.getUnits(LEFT), row.getUnits(AHEAD), row.leaseId, row.spend(3, NOW_US)], [10, 5, 17, true])
  t.ok(to.words.every((word, at) => word === 0 || (at >= 2 * ROW_WORDS + LEFT && at < 3 * ROW_WORDS)))
  t.strictSame([from.words.some((word) => word !== 0), stand(row, NOW_US).remaining], [false, 417])
})

t.test('a row that was selected nowhere has only zeros', async (t) => {
  const row = new BucketRow(tokens, NO_HOLDER)
  row.moveTo(createRows(2), 1)
  t.strictSame([row.getUnits(LEFT), row.leaseId, row.spend(0, 0), resetUs(row, 0)], [0, 0, false, 0])
})

t.test('a standing of the store counts units in hand as used, until they are added', async (t) => {
  const row = createKnown()
  const standing = createReply(tokens, 400, 600_000)
  t.equal(row.addLeft(standing, 0), standing)
  t.strictSame(row.addLeft(standing, 20), { ...standing, remaining: 420, resetUs: 580_000 })
  t.strictSame(row.addLeft(standing, 700), { ...standing, remaining: 1000, resetUs: 0 })
  const inWindow = createReply(window, 400, 600_000)
  t.strictSame(createRow(window).addLeft(inWindow, 20), { ...inWindow, remaining: 420 }, 'which ends when it ends')
})
