// What a process knows of a bucket between two replies of the store.
import t from 'tap'
import { BucketEstimate } from '../../../lib/stores/lease/bucket-estimate.js'
import type { LeaseStanding } from '../../../lib/stores/redis/wire-format.js'
import type { Limit } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'

const NOW_US = 1_000_000
const STORE_US = 9_000_000
const TIMES = { atUs: STORE_US, sentAtUs: NOW_US, nowUs: NOW_US }
const tokens = limitOf({ max: 1000, windowUs: 1_000_000 })
const window = limitOf({ algorithm: 'fixed-window', max: 1000, windowUs: 1_000_000 })

function createStanding (limit: Limit, remaining: number, resetUs: number, apart?: number): LeaseStanding {
  const standing = { limit, partition: 'a', charged: 1, granted: true, remaining, resetUs, delayUs: 0, retryUs: 0, blockedUs: 0 }
  return apart === undefined ? standing : { ...standing, lease: { units: 8, lifeUs: 1, slotEndUs: 1, apart } }
}

/** 600 of 1000 units are used, of which 50 are leased, 20 of them by this process. */
function createKnown (): BucketEstimate {
  const estimate = new BucketEstimate(tokens)
  estimate.update(createStanding(tokens, 400, 600_000, 50), 20, TIMES)
  return estimate
}

t.test('the time of the store follows the clock of the process', async (t) => {
  t.equal(createKnown().storeTimeUs(NOW_US + 100), STORE_US + 100)
})

t.test('unspent units of this process are not used yet', async (t) => {
  const estimate = createKnown()
  t.strictSame([NOW_US, NOW_US + 579_999, NOW_US + 580_001].map((nowUs) => estimate.resetUs(nowUs)), [580_000, 1, 0])
  estimate.use(3, NOW_US)
  t.equal(estimate.resetUs(NOW_US), 583_000)
  estimate.use(-2, NOW_US)
  t.equal(estimate.resetUs(NOW_US), 581_000)
  estimate.use(2, NOW_US + 5_000_000)
  t.equal(estimate.resetUs(NOW_US + 5_000_000), 2000, 'a bucket that was full again')
})

t.test('units have drained no earlier than those of all processes', async (t) => {
  const estimate = createKnown()
  t.equal(estimate.drainedUs(NOW_US), 549_999)
  estimate.use(3, NOW_US)
  t.equal(estimate.drainedUs(NOW_US), 552_999)
  estimate.update(createStanding(tokens, 300, 700_000), 20, TIMES)
  t.equal(estimate.drainedUs(NOW_US), 552_999, 'a reply without a lease says nothing of the leases of others')
  t.equal(estimate.drainedUs(NOW_US + 1_000_000), 0)
  estimate.use(2, NOW_US + 5_000_000)
  t.equal(estimate.drainedUs(NOW_US + 5_000_000), 2000)
})

t.test('those of a late reply drain from when its call was sent', async (t) => {
  const estimate = new BucketEstimate(tokens)
  estimate.update(createStanding(tokens, 400, 600_000, 50), 20, { ...TIMES, sentAtUs: NOW_US - 100_000 })
  t.strictSame([estimate.drainedUs(NOW_US), estimate.resetUs(NOW_US)], [449_999, 580_000])
})

t.test('reserved units of a lease that ended before they were spent drain since its end', async (t) => {
  const endUs = NOW_US + 10_000
  const settleAt = (nowUs: number, usedBefore = 0) => {
    const estimate = new BucketEstimate(tokens)
    if (usedBefore > 0) estimate.use(usedBefore, NOW_US)
    estimate.settle(30, endUs, nowUs)
    return [estimate.resetUs(nowUs), estimate.drainedUs(nowUs)]
  }
  t.strictSame([settleAt(endUs), settleAt(endUs, 100)], [[30_000, 30_000], [120_000, 120_000]], 'in time')
  t.strictSame(settleAt(endUs + 1), [29_999, 29_999])
  t.strictSame(settleAt(endUs + 25_000), [5000, 5000])
  t.strictSame(settleAt(endUs + 40_000), [0, 0])
  t.strictSame(settleAt(endUs + 25_000, 100), [65_000, 65_000], 'later than what was used before')
})

t.test('parts of a microsecond are rounded to the side that promises less', async (t) => {
  const estimate = new BucketEstimate(limitOf({ max: 7, windowUs: 1_000_000 }))
  estimate.use(1, 0)
  t.strictSame([estimate.resetUs(0), estimate.drainedUs(0)], [142_858, 142_857])
  const standing = createStanding(limitOf({ max: 7, windowUs: 1_000_000 }), 2, 500_000)
  t.match(estimate.addLeft(standing, 1), { remaining: 3, resetUs: 357_143 })
})

t.test('what can be taken is free in the bucket or in hand', async (t) => {
  const estimate = createKnown()
  t.equal(estimate.remaining(0, 580_000), 420)
  t.equal(estimate.remaining(0, 580_001), 419)
  t.equal(estimate.remaining(500, 580_000), 500)
  t.equal(estimate.remaining(0, 0), 1000)
  t.equal(estimate.remaining(0, 2_000_000), 0)
  t.equal(estimate.remaining(0, -5000), 1000)
})

t.test('a window keeps what is free until it ends', async (t) => {
  const estimate = new BucketEstimate(window)
  estimate.update(createStanding(window, 400, 600_000, 0), 20, TIMES)
  t.strictSame([NOW_US, NOW_US + 700_000].map((nowUs) => estimate.resetUs(nowUs)), [600_000, 0])
  estimate.use(3, NOW_US)
  t.equal(estimate.resetUs(NOW_US), 600_000)
  t.strictSame([0, 20, 700, 2000].map((left) => estimate.remaining(left, 600_000)), [400, 420, 1000, 2000])
})

t.test('a standing of the store counts units in hand as used, until they are added', async (t) => {
  const estimate = createKnown()
  const standing = createStanding(tokens, 400, 600_000)
  t.equal(estimate.addLeft(standing, 0), standing)
  t.strictSame(estimate.addLeft(standing, 20), { ...standing, remaining: 420, resetUs: 580_000 })
  t.strictSame(estimate.addLeft(standing, 700), { ...standing, remaining: 1000, resetUs: 0 })
  const inWindow = createStanding(window, 400, 600_000)
  t.strictSame(new BucketEstimate(window).addLeft(inWindow, 20), { ...inWindow, remaining: 420 }, 'which ends when it ends')
})
