import assert from 'node:assert/strict'
import t from 'tap'
import fc from 'fast-check'
import { createQuota } from '../../lib/algorithms/quota.js'
import { slidingWindowEndUs } from '../../lib/algorithms/sliding-window.js'
import type { CheckResult } from '../../lib/algorithms/check-result.js'
import { createBucket, type Bucket } from '../fixtures/bucket.js'
import { findFullestWindow, type Grant } from '../fixtures/exact-log.js'
import { assertProperty } from '../fixtures/property.js'
import { computeCost, schedules, computeTime } from '../fixtures/schedules.js'

function entriesIn (bucket: Bucket): number {
  const log = bucket.state()
  return Array.isArray(log) ? (log.length - 2) / 2 : NaN
}

t.test('no interval of one window, wherever it starts, holds more than max, given-back units left out', async () => {
  assertProperty(schedules('sliding-window'), 1500, ({ quota, startUs, steps }) => {
    const bucket = createBucket(quota)
    const grants: Grant[] = []
    let last: CheckResult | null = null
    let nowUs = startUs
    for (const step of steps) {
      nowUs = computeTime(quota, step, last, nowUs)
      const cost = computeCost(quota, step)
      last = bucket.take(cost, nowUs)
      if (last.granted) grants.push({ atUs: nowUs, units: cost })
      assert.ok(findFullestWindow(grants, quota.windowUs) <= quota.max)
      const undone = step.refunds === null ? undefined : grants[grants.length - 1 - step.refunds]
      if (undone === undefined) continue
      bucket.refund(undone.units, { chargedAtUs: undone.atUs, chargedUntilUs: 0 }, nowUs)
      if (nowUs - undone.atUs < quota.windowUs) undone.units = 0
    }
  })
})

t.test('no schedule under saturation fits more than max into one window', async () => {
  const gaps = fc.record({
    max: fc.integer({ min: 1, max: 300 }),
    windowUs: fc.integer({ min: 1, max: 5000 }),
    gapsUs: fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 60 })), { minLength: 50, maxLength: 600, size: 'max' })
  })
  assertProperty(gaps, 200, ({ max, windowUs, gapsUs }) => {
    const bucket = createBucket(createQuota('sliding-window', max, windowUs))
    const grants: Grant[] = []
    let nowUs = 0
    for (const gapUs of gapsUs) {
      nowUs += gapUs
      const units = 1 + gapUs % 3
      if (bucket.take(units, nowUs).granted) grants.push({ atUs: nowUs, units })
    }
    assert.ok(findFullestWindow(grants, windowUs) <= max)
  })
})

t.test('a log never has more than 129 entries, though units are given back and the clock steps back', async (t) => {
  const runs = fc.record({
    windowUs: fc.constantFrom(1, 100, 128, 129, 1000, 12_800, 1_000_003),
    startUs: fc.constantFrom<number>(2_000_000, 1_790_000_000_000_000),
    moves: fc.array(fc.record({
      eighthsOfAnEntry: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 0, max: 12 }) }, { weight: 1, arbitrary: fc.integer({ min: -600, max: 0 }) }),
      isRefund: fc.boolean()
    }), { minLength: 300, maxLength: 600, size: 'max' })
  })
  let most = 0
  assertProperty(runs, 150, ({ windowUs, startUs, moves }) => {
    const bucket = createBucket(createQuota('sliding-window', 1_000_000, windowUs))
    let nowUs = startUs
    for (const { eighthsOfAnEntry, isRefund } of moves) {
      nowUs = Math.max(0, nowUs + Math.ceil(Math.ceil(windowUs / 128) * eighthsOfAnEntry / 8))
      bucket.take(1, nowUs)
      if (isRefund && eighthsOfAnEntry % 3 === 0) bucket.refund(1, { chargedAtUs: nowUs, chargedUntilUs: 0 }, nowUs)
      most = Math.max(most, entriesIn(bucket))
    }
  })
  t.ok(most <= 129, `${most} entries`)
})

t.test('129 entries are reached: one that absorbed to its end, and 128 after it', async (t) => {
  const bucket = createBucket(createQuota('sliding-window', 1_000_000, 128_000))
  bucket.take(1, 0)
  bucket.take(1, 999)
  for (let entry = 1; entry <= 128; entry++) bucket.take(1, entry * 1000)
  t.equal(entriesIn(bucket), 129)
})

t.test('a log ends one window after its newest entry, and without an entry at once', async (t) => {
  const quota = createQuota('sliding-window', 10, 128)
  t.equal(slidingWindowEndUs(quota, [5, 0]), 0)
  t.equal(slidingWindowEndUs(quota, [1000, 5, 900, 2, 1000, 3]), 1128)
})
