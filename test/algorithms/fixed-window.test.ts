import assert from 'node:assert/strict'
import t from 'tap'
import type { CheckResult } from '../../lib/algorithms/check-result.js'
import { createBucket } from '../fixtures/bucket.js'
import { assertProperty } from '../fixtures/property.js'
import { computeCost, schedules, computeTime } from '../fixtures/schedules.js'

t.test('a window starts with its first unit, ends windowUs later, and holds at most max', async () => {
  assertProperty(schedules('fixed-window'), 1500, ({ quota, startUs, steps }) => {
    const bucket = createBucket(quota)
    let endUs = -1
    let used = 0
    let last: CheckResult | null = null
    let nowUs = startUs
    for (const step of steps) {
      nowUs = computeTime(quota, step, last, nowUs)
      const cost = computeCost(quota, step)
      last = bucket.take(cost, nowUs)
      if (nowUs >= endUs) used = 0
      const isGranted = used + cost <= quota.max
      assert.equal(last.granted, isGranted)
      if (isGranted && cost > 0 && used === 0) endUs = nowUs + quota.windowUs
      if (isGranted) used += cost
      assert.equal(last.remaining, quota.max - used)
      assert.equal(last.resetUs, used === 0 ? 0 : endUs - nowUs)
      assert.equal(last.retryUs, isGranted ? 0 : cost > quota.max ? 'never' : endUs - nowUs)
    }
  })
})
