// Leases of one bucket under random sequences of calls. The bound of all processes together is proven by test/models/leases.test.ts.
import fc from 'fast-check'
import t from 'tap'
import {
  advanceLeases, closeLeases, computeLeaseWaitUs, createLeaseTerms, leasesEndUs, leaseUnits, MIN_HOLD_US, MIN_LEASED_CAPACITY, openLeases, settleLeases,
  shareUnits, type LeasedBucket, type LeaseReport
} from '../../lib/algorithms/lease.js'
import { createCalendarQuota, createQuota, type Quota } from '../../lib/algorithms/quota.js'
import { assessTokenBucket } from '../../lib/algorithms/token-bucket.js'
import { createCheckResult } from '../../lib/algorithms/check-result.js'
import { assertProperty } from '../fixtures/property.js'
import { createBoundaryCalendar } from '../fixtures/vectors.js'

const START_US = 1_790_000_000_000_000

const quotas = fc.record({ max: fc.integer({ min: 1, max: 300 }), windowUs: fc.integer({ min: 100, max: 1_000_000 }), burst: fc.integer({ min: 1, max: 300 }) })
  .map(({ max, windowUs, burst }) => createQuota('token-bucket', max, windowUs, burst))

/** A bucket between two calls: at least its leased units are used, and at most its capacity. */
const scenes = fc.record({
  quota: quotas,
  gridUs: fc.integer({ min: 1, max: 500_000 }),
  phase: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  shares: fc.tuple(fc.nat(10), fc.nat(10), fc.nat(10), fc.nat(10)),
  num: fc.nat()
}).map(({ quota, gridUs, phase, shares: [current, next, used, free], num }) => {
  const sum = Math.max(1, current + next + used + free)
  const slotUs = START_US - START_US % gridUs
  const nowUs = slotUs + Math.floor(phase * gridUs)
  const apart = Math.floor(quota.capacity * current / sum)
  const apartNext = Math.floor(quota.capacity * next / sum)
  const bucket: LeasedBucket = { timeUs: nowUs, count: 0, slotEndUs: slotUs + gridUs, gridUs, apart, apartNext }
  // Other units: whole ones, and a part of one that drains.
  const others = Math.floor(quota.capacity * used / sum)
  const units = apart + apartNext + others
  const scaled = units * quota.intervalNum + (units < quota.capacity ? num % Math.min(quota.intervalDen, unitsOf(quota, 1)) : 0)
  bucket.timeUs += units * quota.intervalUs + Math.floor(scaled / quota.intervalDen)
  bucket.count = scaled % quota.intervalDen
  return { quota, start: bucket, nowUs }
})

function assess (quota: Quota, bucket: LeasedBucket, cost: number, nowUs: number) {
  const result = createCheckResult()
  assessTokenBucket(quota, bucket, cost, nowUs, result)
  return result
}

/** The TAT in units of 1 / intervalDen of a microsecond, after now. */
function toBacklog (quota: Quota, { timeUs, count }: LeasedBucket, nowUs: number): number {
  return (timeUs - nowUs) * quota.intervalDen + count
}

function unitsOf (quota: Quota, units: number): number {
  return units * (quota.intervalUs * quota.intervalDen + quota.intervalNum)
}

function isEqual (a: LeasedBucket, b: LeasedBucket): boolean {
  return (Object.keys(a) as Array<keyof LeasedBucket>).every((name) => a[name] === b[name])
}

t.test('a bucket that was brought to now twice is the same', async () => {
  assertProperty(fc.tuple(scenes, fc.nat(2_000_000)), 3000, ([{ quota, start, nowUs }, afterUs]) => {
    const bucket = { ...start }
    advanceLeases(quota, bucket, nowUs + afterUs)
    const once = { ...bucket }
    advanceLeases(quota, bucket, nowUs + afterUs)
    if (!isEqual(bucket, once)) throw new Error(JSON.stringify({ once, bucket }))
  })
})

t.test('a bucket does not depend on when else it was brought to now', async () => {
  const times = fc.array(fc.nat(1_500_000), { minLength: 2, maxLength: 5 }).map((list) => list.sort((a, b) => a - b))
  assertProperty(fc.tuple(scenes, times), 5000, ([{ quota, start, nowUs }, list]) => {
    const bucket = { ...start }
    const direct = { ...start }
    for (const afterUs of list) advanceLeases(quota, bucket, nowUs + afterUs)
    const endUs = nowUs + list[list.length - 1]
    advanceLeases(quota, direct, endUs)
    // A TAT before now is a full bucket, whatever it is.
    for (const one of [bucket, direct]) Object.assign(one, { timeUs: Math.max(one.timeUs, endUs), count: one.timeUs < endUs ? 0 : one.count })
    if (!isEqual(bucket, direct)) throw new Error(JSON.stringify({ bucket, direct }))
  })
})

t.test('leased units are covered by the TAT after each step, and no lease is larger than what is left', async () => {
  const reports = fc.record({ slot: fc.nat(3), spent: fc.nat(40), returned: fc.nat(40) })
  const steps = fc.array(fc.record({
    afterUs: fc.oneof(fc.constant(0), fc.nat(300_000)), cost: fc.nat(3), want: fc.nat(100), soon: fc.nat(100), reports: fc.array(reports, { maxLength: 2 })
  }), { minLength: 1, maxLength: 12 })
  assertProperty(fc.tuple(scenes, steps), 3000, ([{ quota, start, nowUs }, list]) => {
    const bucket = { ...start }
    for (const { afterUs, cost, want, soon, reports } of list) {
      nowUs += afterUs
      advanceLeases(quota, bucket, nowUs)
      const given = reports.map(({ slot, spent, returned }): LeaseReport => ({ slotEndUs: bucket.slotEndUs + (slot - 1) * bucket.gridUs, spent, returned }))
      settleLeases(quota, bucket, given, nowUs)
      const charged = assess(quota, bucket, cost, nowUs)
      Object.assign(bucket, { timeUs: charged.timeUs, count: charged.count })
      const { remaining } = assess(quota, bucket, 0, nowUs)
      openLeases(bucket, bucket.gridUs, nowUs)
      const units = leaseUnits(quota, bucket, remaining, { gridUs: bucket.gridUs, want, soon, reports: [given[0], given[1]] }, nowUs)
      if (units > remaining || units > want || units < 0) throw new Error(`${units} of ${remaining} leased, ${want} wanted`)
      const backlog = toBacklog(quota, bucket, nowUs)
      const apart = unitsOf(quota, bucket.apart + bucket.apartNext)
      if (apart > backlog && bucket.apart + bucket.apartNext > 0) throw new Error(`${apart} leased of ${backlog}`)
      if (backlog > quota.capacityUs * quota.intervalDen + quota.capacityNum) throw new Error(`a backlog of ${backlog}`)
    }
  })
})

t.test('every leased unit is spent, returned or lapses, and uses the bucket once', async () => {
  const parts = fc.tuple(fc.nat(60), fc.nat(60), fc.nat(60), fc.nat(60))
  assertProperty(fc.tuple(scenes, parts), 3000, ([{ quota, start, nowUs }, [spent, returned, spentNext, returnedNext]]) => {
    const bucket = { ...start }
    const { apart, apartNext } = bucket
    const before = toBacklog(quota, bucket, nowUs)
    const reports = [
      { slotEndUs: bucket.slotEndUs, spent, returned },
      { slotEndUs: bucket.slotEndUs + bucket.gridUs, spent: spentNext, returned: returnedNext }
    ]
    settleLeases(quota, bucket, reports, nowUs)
    const freed = Math.min(returned, apart) + Math.min(returnedNext, apartNext)
    const left = apart - Math.min(returned + spent, apart)
    const leftNext = apartNext - Math.min(returnedNext + spentNext, apartNext)
    if (bucket.apart !== left || bucket.apartNext !== leftNext) throw new Error('units are missing')
    if (toBacklog(quota, bucket, nowUs) !== before - unitsOf(quota, freed)) throw new Error('a unit that was not returned is free')
    // What lapses has drained at the stated end, and not earlier than it takes from the end of its slot.
    const endUs = leasesEndUs(quota, bucket)
    advanceLeases(quota, bucket, endUs)
    if (toBacklog(quota, bucket, Math.max(endUs, nowUs + Math.ceil(before / quota.intervalDen))) > 0) throw new Error('units are still used')
  })
})

t.test('a refused charge is granted after its wait, and not before', async () => {
  assertProperty(fc.tuple(scenes, fc.integer({ min: 1, max: 300 })), 5000, ([{ quota, start: bucket, nowUs }, cost]) => {
    const refused = assess(quota, bucket, cost, nowUs)
    if (refused.granted || refused.retryUs === 'never') return
    const waitUs = Math.max(refused.retryUs, computeLeaseWaitUs(quota, bucket, cost, nowUs))
    const isGrantedAt = (atUs: number) => {
      const later = { ...bucket }
      advanceLeases(quota, later, atUs)
      return assess(quota, later, cost, atUs).granted
    }
    if (!isGrantedAt(nowUs + waitUs)) throw new Error(`refused after ${waitUs}`)
    if (isGrantedAt(nowUs + waitUs - 1)) throw new Error(`granted before ${waitUs}`)
  })
})

t.test('no lease begins before each lease of a bucket that was lost or reset has ended', async () => {
  assertProperty(fc.tuple(scenes, fc.nat(1_000_000), fc.nat(3_000_000)), 3000, ([{ quota, start, nowUs }, resetUs, laterUs]) => {
    const bucket = { ...start }
    const endUs = bucket.slotEndUs + bucket.gridUs
    const isOpenAt = (one: LeasedBucket, atUs: number) => {
      advanceLeases(quota, one, atUs)
      return leaseUnits(quota, one, quota.capacity, { gridUs: one.gridUs, want: 1, soon: 1, reports: [NO_REPORT, NO_REPORT] }, atUs) > 0
    }
    const atUs = nowUs + resetUs + laterUs
    const lost = { timeUs: 0, count: 0, slotEndUs: 0, gridUs: 0, apart: 0, apartNext: 0 }
    openLeases(lost, bucket.gridUs, nowUs)
    if (isOpenAt({ ...lost }, atUs) !== (atUs >= endUs)) throw new Error('lost')
    if (bucket.apart + bucket.apartNext === 0 || !closeLeases(bucket, nowUs)) return
    if (isOpenAt({ ...bucket }, atUs) !== (atUs >= endUs)) throw new Error('reset')
  })
})

const NO_REPORT: LeaseReport = { slotEndUs: 0, spent: 0, returned: 0 }

t.test('a share is at most what is wanted and what is left', async (t) => {
  t.equal(shareUnits(16, 100, 0), 4)
  t.equal(shareUnits(15, 100, 0), 0)
  t.equal(shareUnits(15, 100, 9), 9)
  t.equal(shareUnits(15, 100, 20), 15)
  t.equal(shareUnits(100, 7, 7), 7)
  t.equal(shareUnits(0, 7, 7), 0)
})

t.test('which limits are leased, and until when', async (t) => {
  const hold = 2_000_000
  t.strictSame(createLeaseTerms(createQuota('token-bucket', 1000, 60_000_000), hold), { gridUs: 1_000_000 })
  t.strictSame(createLeaseTerms(createQuota('token-bucket', 100, 1_000_001), hold), { gridUs: 500_000 })
  t.strictSame(createLeaseTerms(createQuota('token-bucket', 1000, 10_000_000, 100), hold), { gridUs: 500_000 }, 'a burst fills sooner')
  t.strictSame(createLeaseTerms(createQuota('fixed-window', 100, 1_000_000), hold), { gridUs: 500_000 })
  t.equal(createLeaseTerms(createQuota('sliding-window', 1000, 60_000_000), hold), 'sliding-window')
  t.equal(createLeaseTerms(createCalendarQuota(1000, 60_000_000, createBoundaryCalendar([])), hold), 'calendar')
  t.equal(createLeaseTerms(createQuota('token-bucket', 1000, 60_000_000, 1000, 1), hold), 'throttled')
  t.equal(createLeaseTerms(createQuota('token-bucket', MIN_LEASED_CAPACITY - 1, 60_000_000), hold), 'small')
  t.strictSame(createLeaseTerms(createQuota('token-bucket', MIN_LEASED_CAPACITY, 60_000_000), hold), { gridUs: 1_000_000 })
  t.equal(createLeaseTerms(createQuota('token-bucket', 100, 39_999), hold), 'short')
  t.strictSame(createLeaseTerms(createQuota('token-bucket', 100, 40_000), hold), { gridUs: 20_000 })
  t.strictSame(createLeaseTerms(createQuota('token-bucket', 100, 60_000_000), MIN_HOLD_US), { gridUs: 20_000 }, 'the shortest life')
  t.equal(createLeaseTerms(createQuota('token-bucket', 100, 60_000_000), MIN_HOLD_US - 1), 'short')
})

t.test('a bucket that is not ready for leases grants none, and makes no charge wait', async (t) => {
  const quota = createQuota('token-bucket', 100, 1_000_000)
  const bucket = { timeUs: START_US, count: 0, slotEndUs: 0, gridUs: 0, apart: 0, apartNext: 0 }
  t.equal(leaseUnits(quota, bucket, 100, { gridUs: 500_000, want: 8, soon: 8, reports: [NO_REPORT, NO_REPORT] }, START_US), 0)
  t.equal(computeLeaseWaitUs(quota, bucket, 101, START_US), 0, 'not even one that is never granted')
})

t.test('a bucket is kept until its leased units have drained, and while leases may begin', async (t) => {
  const quota = createQuota('token-bucket', 7, 1_000_000)
  const bucket = { timeUs: START_US, count: 0, slotEndUs: START_US + 500_000, gridUs: 500_000, apart: 2, apartNext: 3 }
  t.equal(leasesEndUs(quota, bucket), START_US + 1_000_000 + 714_286)
  t.equal(leasesEndUs(quota, { ...bucket, apart: 1, apartNext: 0 }), START_US + 1_500_000)
})
