import assert from 'node:assert/strict'
import t from 'tap'
import fc from 'fast-check'
import { carryFixedWindow, carryGrantLog, carryTokenBucket, isWrittenUnder, type CarriedBucket } from '../../lib/algorithms/carry-over.js'
import { createQuota, type Algorithm, type Quota } from '../../lib/algorithms/quota.js'
import { createCheckResult } from '../../lib/algorithms/check-result.js'
import { algorithms, createBucket, type Bucket, type State } from '../fixtures/bucket.js'
import { assertProperty } from '../fixtures/property.js'
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
