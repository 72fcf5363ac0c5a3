import assert from 'node:assert/strict'
import t from 'tap'
import fc from 'fast-check'
import {
  addToOveruse, carryCalendarWindow, carryFixedWindow, carryGrantLog, carryTokenBucket, countAtRisk, countOveruse, isWrittenUnder, keepOveruse, overuseEndUs,
  type CarriedBucket, type Overuse
} from '../../lib/algorithms/carry-over.js'
import { createCalendarQuota, createQuota, type Algorithm, type Quota } from '../../lib/algorithms/quota.js'
import { createCheckResult } from '../../lib/algorithms/check-result.js'
import { algorithms, createBucket, type Bucket, type State } from '../fixtures/bucket.js'
import { assertProperty } from '../fixtures/property.js'
import { createGrid } from '../fixtures/limits.js'
import { quotas } from '../fixtures/schedules.js'

const NOW_US = 1_790_000_000_123_457
const SECOND_US = 1_000_000
const DAY_US = 86_400 * SECOND_US

function toCarried (state: State): CarriedBucket {
  return Array.isArray(state) ? { timeUs: 0, count: 0, log: state, overuse: null } : { ...state, log: null, overuse: null }
}

function carried (old: Quota, young: Quota, state: State, nowUs: number): Bucket {
  if (Array.isArray(state)) return createBucket(young, carryGrantLog(old, young, toCarried(state), nowUs))
  const verdict = createCheckResult()
  const carry = old.algorithm === 'token-bucket' ? carryTokenBucket : carryFixedWindow
  carry(old, young, toCarried(state), nowUs, verdict)
  return createBucket(young, { timeUs: verdict.timeUs, count: verdict.count })
}

function usedOf (quota: Quota, bucket: Bucket, nowUs = NOW_US): number {
  return quota.capacity - bucket.take(0, nowUs).remaining
}

t.test('only the same max, window and capacity are read as they stand', async (t) => {
  const quota = createQuota('token-bucket', 10, SECOND_US, 20)
  t.equal(isWrittenUnder(createQuota('token-bucket', 10, SECOND_US, 20), quota), true)
  t.equal(isWrittenUnder(createQuota('token-bucket', 11, SECOND_US, 20), quota), false)
  t.equal(isWrittenUnder(createQuota('token-bucket', 10, 2 * SECOND_US, 20), quota), false)
  t.equal(isWrittenUnder(createQuota('token-bucket', 10, SECOND_US, 21), quota), false)
})

interface Row { title: string, old: [max: number, windowUs: number, burst?: number], used: number, young: [max: number, windowUs: number, burst?: number], is: number }

const ROWS: readonly Row[] = [
  { title: '50 of 100 is 50 of 1000', old: [100, SECOND_US], used: 50, young: [1000, SECOND_US], is: 50 },
  { title: '50 of 1000 is 50 of 100', old: [1000, SECOND_US], used: 50, young: [100, SECOND_US], is: 50 },
  { title: 'more than the new capacity is full', old: [1000, SECOND_US], used: 500, young: [100, SECOND_US], is: 100 },
  { title: 'as much as the new capacity is full', old: [1000, SECOND_US], used: 100, young: [100, SECOND_US], is: 100 },
  { title: 'nothing used is nothing used', old: [1000, SECOND_US], used: 0, young: [100, DAY_US], is: 0 },
  { title: 'a longer window keeps the units', old: [100, SECOND_US], used: 50, young: [100, DAY_US], is: 50 },
  { title: 'a shorter window keeps the units', old: [100, DAY_US], used: 50, young: [100, SECOND_US], is: 50 },
  { title: 'an interval that is no whole number makes no unit more of them', old: [3, SECOND_US], used: 1, young: [7, SECOND_US], is: 1 },
  { title: 'nor does one that was none', old: [700_001, SECOND_US], used: 699_999, young: [999_983, DAY_US], is: 699_999 }
]

for (const algorithm of algorithms) {
  for (const { title, old, used, young, is } of ROWS) {
    t.test(`${algorithm}: ${title}`, async (t) => {
      const before = createQuota(algorithm, ...old)
      const after = createQuota(algorithm, ...young)
      const bucket = createBucket(before)
      t.equal(bucket.take(used, NOW_US).granted, true)
      t.equal(usedOf(after, carried(before, after, bucket.state(), NOW_US)), is)
    })
  }
}

t.test('token-bucket: as much as the new capacity is full to the last part of a microsecond', async (t) => {
  const young = createQuota('token-bucket', 1_234_567, DAY_US, 10)
  const full = carried(createQuota('token-bucket', 10, 10 * SECOND_US), young, { timeUs: NOW_US + 10 * SECOND_US, count: 0 }, NOW_US)
  t.strictSame(full.state(), { timeUs: NOW_US + young.capacityUs, count: young.capacityNum })
})

t.test('token-bucket: a burst that changes keeps the units', async (t) => {
  for (const [from, to, is] of [[100, 200, 60], [200, 100, 60], [100, 40, 40]]) {
    const before = createQuota('token-bucket', 50, SECOND_US, from)
    const after = createQuota('token-bucket', 50, SECOND_US, to)
    const bucket = createBucket(before)
    bucket.take(60, NOW_US)
    t.equal(usedOf(after, carried(before, after, bucket.state(), NOW_US)), is)
  }
})

for (const algorithm of ['fixed-window', 'sliding-window'] as const) {
  t.test(`${algorithm}: half-way through a minute is half-way through ten seconds`, async (t) => {
    const before = createQuota(algorithm, 10, 60 * SECOND_US)
    const after = createQuota(algorithm, 20, 10 * SECOND_US)
    const bucket = createBucket(before)
    bucket.take(10, NOW_US)
    const nowUs = NOW_US + 30 * SECOND_US
    t.match(carried(before, after, bucket.state(), nowUs).take(11, nowUs), { granted: false, remaining: 10, retryUs: 5 * SECOND_US })
  })

  t.test(`${algorithm}: what has left the old window is not used in a longer one`, async (t) => {
    const before = createQuota(algorithm, 10, SECOND_US)
    const after = createQuota(algorithm, 10, DAY_US)
    const bucket = createBucket(before)
    bucket.take(10, NOW_US)
    t.equal(usedOf(after, carried(before, after, bucket.state(), NOW_US + SECOND_US), NOW_US + SECOND_US), 0)
  })
}

t.test('sliding-window: more than the new max stays in the log; in a shorter window, what leaves first is dropped', async (t) => {
  const before = createQuota('sliding-window', 10, 128 * SECOND_US)
  const log = [NOW_US, 9, NOW_US - 20 * SECOND_US, 3, NOW_US - 10 * SECOND_US, 2, NOW_US, 4]
  const carry = (windowUs: number) => carryGrantLog(before, createQuota('sliding-window', 5, windowUs), toCarried(log), NOW_US)
  t.strictSame(carry(128 * SECOND_US), log)
  t.strictSame(carry(64 * SECOND_US), [NOW_US, 5, NOW_US - 5 * SECOND_US, 1, NOW_US, 4])
})

t.test('fixed-window: more than the new max stays; in a shorter window it is dropped', async (t) => {
  const before = createQuota('fixed-window', 10, 128 * SECOND_US)
  const state = { timeUs: NOW_US - 20 * SECOND_US, count: 9 }
  const carry = (windowUs: number) => carried(before, createQuota('fixed-window', 5, windowUs), state, NOW_US).state()
  t.strictSame(carry(128 * SECOND_US), state)
  t.strictSame(carry(64 * SECOND_US), { timeUs: NOW_US - 10 * SECOND_US, count: 5 })
})

/** A bucket under one limit, after grants whose number and times are drawn, and another limit, at most so far back. */
function changes (algorithm: Algorithm, stepBackPercent: number) {
  return fc.record({
    old: quotas(algorithm),
    young: quotas(algorithm),
    grants: fc.array(fc.record({ share: fc.integer({ min: 1, max: 8 }), after: fc.integer({ min: 0, max: 40 }) }), { minLength: 1, maxLength: 12 }),
    ageShare: fc.integer({ min: -stepBackPercent, max: 140 })
  }).map(({ old, young, grants, ageShare }) => {
    const bucket = createBucket(old)
    let nowUs = NOW_US
    for (const { share, after } of grants) {
      nowUs += Math.floor(old.windowUs * after / 100)
      bucket.take(Math.ceil(old.capacity * share / 8), nowUs)
    }
    return { old, young, state: bucket.state(), nowUs: nowUs + Math.floor(old.windowUs * ageShare / 100) }
  })
}

/** How much of the last unit of a token bucket has not drained, in the new limit's microseconds. */
function begunUs (old: Quota, young: Quota, state: State, nowUs: number): number {
  if (old.algorithm !== 'token-bucket' || Array.isArray(state)) return Infinity
  const units = (state.timeUs - nowUs + state.count / old.intervalDen) * old.max / old.windowUs
  return (units - Math.floor(units)) * young.windowUs / young.max
}

for (const algorithm of algorithms) {
  t.test(`${algorithm}: whatever changes, the used units stay used, up to the new capacity`, async () => {
    assertProperty(changes(algorithm, 0), 400, ({ old, young, state, nowUs }) => {
      const used = Math.min(usedOf(old, createBucket(old, state), nowUs), young.capacity)
      const is = usedOf(young, carried(old, young, state, nowUs), nowUs)
      // A unit of which less than 1/512 microsecond was begun is dropped: it is less than doubles tell for sure.
      const isSliver = is === used - 1 && begunUs(old, young, state, nowUs) < 1 / 512
      assert.ok(is === used || isSliver, `${is} of ${used}`)
    })
  })

  t.test(`${algorithm}: no client waits longer than the new limit ever makes a client wait`, async () => {
    assertProperty(changes(algorithm, 20), 400, ({ old, young, state, nowUs }) => {
      const { granted, resetUs, retryUs } = carried(old, young, state, nowUs).take(1, nowUs)
      assert.ok(granted || (retryUs !== 'never' && retryUs <= young.windowUs))
      assert.ok(resetUs <= Math.max(young.windowUs, young.capacityUs + 1))
    })
  })
}

const TEN_US = 10 * SECOND_US
const bucketOf = createQuota('token-bucket', 10, TEN_US)
const windowOf = createQuota('fixed-window', 10, TEN_US)
const logOf = createQuota('sliding-window', 10, TEN_US)
const periodOf = createCalendarQuota(10, TEN_US, createGrid(TEN_US))
const MAX_UNITS = 2 ** 40 - 1

/** Units that are kept beside a bucket, at a rate of one in a second. */
const overuseOf = (units: number): Overuse => ({ atUs: NOW_US, units, max: 10, windowUs: TEN_US })
const EMPTY: CarriedBucket = { timeUs: NOW_US, count: 0, log: null, overuse: null }

t.test('an overuse drains at its rate, and counts what is charged and given back until it has drained', async (t) => {
  t.equal(countOveruse(null, NOW_US), 0)
  t.equal(countOveruse(overuseOf(5), NOW_US + 2 * SECOND_US), 3)
  t.equal(countOveruse(overuseOf(5), NOW_US - 2 * SECOND_US), 5, 'the clock stepped back')
  t.equal(countOveruse(overuseOf(5), NOW_US + 6 * SECOND_US), 0)
  t.equal(overuseEndUs(overuseOf(5)), NOW_US + 5 * SECOND_US)
  t.equal(overuseEndUs({ ...overuseOf(1), max: 3, windowUs: SECOND_US }), NOW_US + 333_334, 'rounded up')
  const laterUs = NOW_US + 2 * SECOND_US
  t.strictSame(addToOveruse(overuseOf(5), 4, laterUs), { ...overuseOf(7), atUs: laterUs })
  t.strictSame(addToOveruse(overuseOf(5), -9, laterUs), { ...overuseOf(0), atUs: laterUs })
  t.strictSame(addToOveruse(overuseOf(MAX_UNITS), 9, NOW_US), overuseOf(MAX_UNITS))
  t.equal(addToOveruse(overuseOf(5), 4, NOW_US + 5 * SECOND_US), null)
})

t.test('an overuse is kept above the new capacity only, at the faster of both rates', async (t) => {
  t.equal(keepOveruse(windowOf, windowOf, 10, NOW_US), null)
  t.equal(keepOveruse(windowOf, periodOf, 20, NOW_US), null, 'a calendar window counts all units')
  const expected = (max: number, windowUs: number) => ({ atUs: NOW_US, units: 90, max, windowUs })
  t.strictSame(keepOveruse(windowOf, createQuota('fixed-window', 5, TEN_US), 90, NOW_US), expected(10, TEN_US))
  t.strictSame(keepOveruse(windowOf, createQuota('fixed-window', 20, TEN_US), 90, NOW_US), expected(20, TEN_US))
  t.strictSame(keepOveruse(windowOf, createQuota('fixed-window', 20, 2 * TEN_US), 90, NOW_US), expected(10, TEN_US), 'the same rate')
  t.strictSame(keepOveruse(windowOf, createQuota('fixed-window', 9, SECOND_US), 90, NOW_US), expected(9, SECOND_US))
})

// Each kind of bucket, and how many of its units count as used.
const used: ReadonlyArray<readonly [written: Quota, bucket: Partial<CarriedBucket>, units: number, why: string]> = [
  [bucketOf, { timeUs: NOW_US + 3 * SECOND_US }, 3, 'a backlog of three intervals'],
  [createQuota('token-bucket', 3, SECOND_US), { timeUs: NOW_US + 333_333, count: 1 }, 1, 'a backlog with a fraction'],
  [bucketOf, { timeUs: NOW_US - SECOND_US }, 0, 'a TAT in the past'],
  [bucketOf, { timeUs: NOW_US + DAY_US }, 20, 'a TAT that a clock left in the future'],
  [windowOf, { timeUs: NOW_US - TEN_US + 1, count: 5 }, 5, 'the last microsecond of a window'],
  [windowOf, { timeUs: NOW_US - TEN_US, count: 5 }, 0, 'a window that is over'],
  [periodOf, { timeUs: NOW_US + 1, count: 5 }, 5, 'the last microsecond of a period'],
  [periodOf, { timeUs: NOW_US, count: 5 }, 0, 'a period that is over'],
  [logOf, { log: null }, 0, 'no log'],
  [logOf, { log: [NOW_US - TEN_US, 9, NOW_US - TEN_US, 4, NOW_US - TEN_US + 1, 2, NOW_US, 3] }, 5, 'entries in the window']
]
for (const [written, state, units, why] of used) {
  t.test(`what is at risk is all used units: ${written.algorithm}, ${why}`, async (t) => {
    const bucket = { ...EMPTY, ...state }
    // Another algorithm keeps nothing by itself.
    const quota = written === bucketOf ? windowOf : bucketOf
    t.equal(countAtRisk(written, quota, bucket, NOW_US), units)
    t.equal(countAtRisk(written, quota, { ...bucket, overuse: overuseOf(30) }, NOW_US), 30)
  })
}

t.test('a window keeps its own units in one that is not shorter, and only an overuse is at risk', async (t) => {
  const bucket = { ...EMPTY, count: 5, overuse: overuseOf(2) }
  for (const [windowUs, units] of [[TEN_US, 2], [DAY_US, 2], [SECOND_US, 5]]) t.equal(countAtRisk(windowOf, createQuota('fixed-window', 10, windowUs), bucket, NOW_US), units)
  t.equal(countAtRisk(bucketOf, createQuota('token-bucket', 10, DAY_US), { ...EMPTY, timeUs: NOW_US + SECOND_US }, NOW_US), 1, 'a token bucket may lose them in any case')
})

// What is written, to the microsecond.
const tats: ReadonlyArray<readonly [written: Quota, quota: Quota, bucket: Partial<CarriedBucket>, timeUs: number, count: number, why: string]> = [
  [createQuota('token-bucket', 3, SECOND_US), bucketOf, { timeUs: NOW_US + 333_333, count: 1 }, NOW_US + SECOND_US, 0, 'one unit is one interval, to the last fraction'],
  [createQuota('token-bucket', 3, SECOND_US), createQuota('token-bucket', 7, SECOND_US), { timeUs: NOW_US + 666_666, count: 2 }, NOW_US + 285_714, 2, 'two units, with a fraction'],
  [createQuota('token-bucket', 1000, SECOND_US), createQuota('token-bucket', 100, SECOND_US), { timeUs: NOW_US + 500_000 }, NOW_US + SECOND_US, 0, 'more than the capacity is all of it'],
  [createQuota('token-bucket', 1000, SECOND_US), createQuota('token-bucket', 3, SECOND_US, 1), { timeUs: NOW_US + 500_000 }, NOW_US + 333_333, 1, 'and its fraction'],
  [bucketOf, createQuota('token-bucket', 20, TEN_US), { overuse: overuseOf(2) }, NOW_US + SECOND_US, 0, 'units that only the overuse has'],
  [bucketOf, createQuota('token-bucket', 20, TEN_US), { timeUs: NOW_US + 4 * SECOND_US, overuse: overuseOf(2) }, NOW_US + 2 * SECOND_US, 0, 'more units than the overuse'],
  [bucketOf, bucketOf, { timeUs: NOW_US - SECOND_US }, NOW_US, 0, 'a full bucket']
]
for (const [written, quota, state, timeUs, count, why] of tats) {
  t.test(`token-bucket: ${why}`, async (t) => {
    const result = createCheckResult()
    carryTokenBucket(written, quota, { ...EMPTY, ...state }, NOW_US, result)
    t.match(result, { timeUs, count })
  })
}

t.test('fixed-window: units that only the overuse has were used now', async (t) => {
  const result = createCheckResult()
  const bucket = { ...EMPTY, timeUs: NOW_US - 4 * SECOND_US, count: 6 }
  for (const [units, timeUs, count] of [[5, bucket.timeUs, 6], [6, bucket.timeUs, 6], [6.5, NOW_US, 7]]) {
    carryFixedWindow(windowOf, windowOf, { ...bucket, overuse: overuseOf(units) }, NOW_US, result)
    t.match(result, { timeUs, count }, `${units} units`)
  }
})

t.test('calendar-window: all used units, in the current period or the one that they were counted in', async (t) => {
  const result = createCheckResult()
  const endUs = periodOf.calendar?.periodAt(NOW_US).endUs
  carryCalendarWindow(bucketOf, periodOf, { ...EMPTY, timeUs: NOW_US + 2_500_000 }, NOW_US, result)
  t.match(result, { timeUs: endUs, count: 3 }, 'a begun unit is one')
  carryCalendarWindow(windowOf, periodOf, { ...EMPTY, count: 2, overuse: overuseOf(7) }, NOW_US, result)
  t.match(result, { timeUs: endUs, count: 7 })
  carryCalendarWindow(periodOf, createCalendarQuota(20, TEN_US, createGrid(SECOND_US)), { ...EMPTY, timeUs: NOW_US + 7, count: 2 }, NOW_US, result)
  t.match(result, { timeUs: NOW_US + 7, count: 2 })
})

t.test('sliding-window: what has left the window is dropped, and units that only the overuse has were used now', async (t) => {
  const log = [NOW_US - TEN_US, 6, NOW_US - TEN_US, 3, NOW_US - 4 * SECOND_US, 1, NOW_US, 2]
  const double = createQuota('sliding-window', 10, 2 * TEN_US)
  const carry = (overuse: Overuse | null) => carryGrantLog(logOf, double, { ...EMPTY, log, overuse }, NOW_US)
  const kept = [NOW_US - 2 * TEN_US, 3, NOW_US - 8 * SECOND_US, 1, NOW_US, 2]
  t.strictSame(carry(null), kept)
  t.strictSame(carry(overuseOf(3)), kept)
  const [firstUs, total, ...entries] = carry(overuseOf(5))
  t.strictSame([firstUs, total, entries.filter((_, index) => index % 2 === 1).reduce((sum, units) => sum + units)], [kept[0], 5, 5])
  t.strictSame(carryGrantLog(logOf, double, EMPTY, NOW_US).slice(1), [0], 'no log')
})
