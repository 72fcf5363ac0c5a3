import assert from 'node:assert/strict'
import t from 'tap'
import { createQuota, type Quota } from '../../lib/algorithms/quota.js'
import type { CheckResult } from '../../lib/algorithms/check-result.js'
import { findRemaining } from '../../lib/algorithms/token-bucket.js'
import { createBucket } from '../fixtures/bucket.js'
import { ExactGcra, runExactly } from '../fixtures/exact-gcra.js'
import { runSchedule } from '../fixtures/histories.js'
import { assertProperty } from '../fixtures/property.js'
import { computeCost, schedules, computeTime } from '../fixtures/schedules.js'

const SECOND_US = 1_000_000

interface Grant {
  readonly atUs: bigint
  readonly units: bigint
}

/** The grants of a client who always asks again when he was told to, or the next microsecond after a grant. */
function saturate (quota: Quota, startUs: number, durationUs: number): number {
  const bucket = createBucket(quota)
  let units = 0
  for (let nowUs = startUs; nowUs <= startUs + durationUs;) {
    const { granted, retryUs } = bucket.take(1, nowUs)
    if (granted) units++
    else if (retryUs === 'never') break
    else nowUs += retryUs
  }
  return units
}

t.test('every answer is that of GCRA in exact rational numbers', async () => {
  assertProperty(schedules('token-bucket'), 1500, (schedule) => { runExactly(schedule) })
})

t.test('every debt is that of GCRA in exact rational numbers', async () => {
  assertProperty(schedules('token-bucket'), 700, ({ quota, startUs, steps }) => {
    const bucket = createBucket(quota)
    const model = new ExactGcra(quota)
    let last: CheckResult | null = null
    let nowUs = startUs
    for (const step of steps) {
      nowUs = computeTime(quota, step, last, nowUs)
      const units = computeCost(quota, step)
      if (step.refunds === null) {
        last = bucket.take(units, nowUs)
        const { granted, remaining, resetUs, delayUs, retryUs } = last
        assert.deepEqual({ granted, remaining, resetUs, delayUs, retryUs }, model.take(units, nowUs))
      } else {
        const { remaining, resetUs } = bucket.charge(units, nowUs)
        assert.deepEqual({ remaining, resetUs }, model.charge(units, nowUs))
      }
    }
  })
})

t.test('no interval of length t, wherever it lies, is granted more than burst + t * max / window', async () => {
  assertProperty(schedules('token-bucket'), 700, (schedule) => {
    const grants: Grant[] = []
    runSchedule(schedule, ({ cost, nowUs, result }) => {
      if (result.granted) grants.push({ atUs: BigInt(nowUs), units: BigInt(cost) })
    })
    const [max, windowUs, capacity] = [schedule.quota.max, schedule.quota.windowUs, schedule.quota.capacity].map(BigInt)
    grants.forEach((first, index) => {
      let units = 0n
      for (const grant of grants.slice(index)) {
        units += grant.units
        assert.ok((units - capacity) * windowUs <= (grant.atUs - first.atUs) * max)
      }
    })
  })
})

t.test('a saturated bucket grants its rate within 0.1 %', async (t) => {
  for (const [perSecond, burst] of [
    [1, 1], [3, 3], [7, 1], [1000, 10], [30_000, 30_000], [300_000, 100], [700_000, 2], [700_000, 700_000], [999_983, 1000], [1_000_000, 1], [1_000_000, 1_000_000]
  ]) {
    const durationUs = Math.ceil(100_000 / perSecond * SECOND_US)
    for (const startUs of [0, 1_790_000_000_123_457]) {
      const units = saturate(createQuota('token-bucket', perSecond, SECOND_US, burst), startUs, durationUs) - burst
      const error = Math.abs(units / (durationUs / SECOND_US) / perSecond - 1)
      t.ok(error <= 0.001, `${perSecond} per second, burst ${burst}: ${units} beyond the burst, error ${error}`)
    }
  }
})

t.test('a saturated bucket has lost nothing after a day at an odd rate', async (t) => {
  const quota = createQuota('token-bucket', 1_234_567, 86_400 * SECOND_US, 10)
  const bucket = createBucket(quota)
  let lastUs = 0
  for (let unit = 0; unit < 200_000; unit++) {
    const wait = bucket.take(0, lastUs).remaining > 0 ? 0 : bucket.take(1, lastUs).retryUs
    assert.notEqual(wait, 'never')
    lastUs += Number(wait)
    assert.ok(bucket.take(1, lastUs).granted)
  }
  const dueUs = Number((199_990n * 86_400_000_000n + 1_234_566n) / 1_234_567n)
  t.equal(lastUs, dueUs, 'the 200,000th unit came in the very microsecond in which it was due')
})

const resets: ReadonlyArray<readonly [max: number, resetUs: number, remaining: number | null, why: string]> = [
  [10, 0, 10, 'a full bucket'],
  [10, 100_000, 9, 'exactly one unit'],
  [10, 100_001, 8, 'a microsecond more, which is exact where intervals are'],
  [10, 1_100_000, 0, 'a debt'],
  [3, 333_333, 2, 'less than one unit, whatever was rounded up'],
  [3, 333_334, null, 'one unit or two'],
  [3, 333_335, 1, 'more than one unit, whatever was rounded up'],
  [3_000_000, 0, 3_000_000, 'a full bucket of several units in a microsecond']
]
for (const [max, resetUs, remaining, why] of resets) {
  t.test(`with ${max} a second, a reset of ${resetUs} µs leaves ${remaining ?? 'two possible numbers of'} units: ${why}`, async (t) => {
    t.equal(findRemaining(createQuota('token-bucket', max, SECOND_US), resetUs), remaining)
  })
}
