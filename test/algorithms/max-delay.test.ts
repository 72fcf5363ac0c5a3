import assert from 'node:assert/strict'
import t from 'tap'
import fc from 'fast-check'
import { isExact, createQuota, withMaxDelay, type Quota } from '../../lib/algorithms/quota.js'
import { assessTokenBucket, isLastCharge, refundTokenBucket } from '../../lib/algorithms/token-bucket.js'
import { createCheckResult, type CheckResult } from '../../lib/algorithms/check-result.js'
import { createBucket, copyBucket } from '../fixtures/bucket.js'
import { runExactly } from '../fixtures/exact-gcra.js'
import { runSchedule } from '../fixtures/histories.js'
import { assertProperty } from '../fixtures/property.js'
import { computeCost, schedules, computeTime, type Schedule } from '../fixtures/schedules.js'
import { scaleToLane } from '../fixtures/lane.js'

/** Patience of a fraction of an emission interval up to some windows. */
const patiences = fc.oneof(fc.constant(0.4), fc.double({ min: 0, max: 30, noNaN: true }), fc.double({ min: 0, max: 3000, noNaN: true }))

const patientSchedules: fc.Arbitrary<Schedule> = fc.tuple(schedules('token-bucket'), patiences).map(([schedule, intervals]) => {
  const { max, windowUs, capacity } = schedule.quota
  return { ...schedule, quota: createQuota('token-bucket', max, windowUs, capacity, Math.ceil(intervals * windowUs / max)) }
}).filter(({ quota }) => isExact(quota))

/** A unit, or several, that a request may use from some moment on. */
interface Serving {
  readonly dueUs: number
  readonly units: number
}

/** No interval of length t holds more than burst + t * max / window; due times are rounded up by less than 1 us. */
function assertWithinRate (quota: Quota, servings: readonly Serving[]): void {
  const [max, windowUs, capacity] = [quota.max, quota.windowUs, quota.capacity].map(BigInt)
  servings.forEach((first, index) => {
    let units = 0n
    for (const serving of servings.slice(index)) {
      units += BigInt(serving.units)
      assert.ok((units - capacity) * windowUs < BigInt(serving.dueUs - first.dueUs + 1) * max, `${units} units in ${serving.dueUs - first.dueUs} us`)
    }
  })
}

t.test('every answer of a patient bucket is that of GCRA in exact rational numbers', async () => {
  let delays = 0
  assertProperty(patientSchedules, 1500, (schedule) => {
    runExactly(schedule, ({ result }) => { if (result.delayUs > 0) delays++ })
  })
  assert.ok(delays > scaleToLane(1000), `${delays} delays`)
})

t.test('requests with patience and without are served in their order, and never faster than the rate', async () => {
  assertProperty(patientSchedules, 700, ({ quota, startUs, steps }) => {
    const servings: Serving[] = []
    let state = { timeUs: 0, count: 0 }
    let last: CheckResult | null = null
    let nowUs = startUs
    for (const step of steps) {
      nowUs = computeTime(quota, step, last, nowUs)
      const asked = step.refunds === 0 ? withMaxDelay(quota, 0) : quota
      last = createCheckResult()
      assessTokenBucket(asked, state, computeCost(quota, step), nowUs, last)
      state = { timeUs: last.timeUs, count: last.count }
      assert.ok(last.delayUs <= asked.maxDelayUs)
      if (last.granted) servings.push({ dueUs: nowUs + last.delayUs, units: computeCost(quota, step) })
    }
    servings.forEach(({ dueUs }, i) => assert.ok(i === 0 || dueUs >= servings[i - 1].dueUs))
    assertWithinRate(quota, servings)
  })
})

t.test('requests that give up leave their place only where no request stands behind them, so that no two are served in one', async (t) => {
  let returned = 0
  const lines = fc.record({
    perSecond: fc.constantFrom(1, 3, 7, 100, 30_000, 999_983),
    burst: fc.integer({ min: 1, max: 4 }),
    arrivals: fc.array(fc.record({ afterTenths: fc.integer({ min: 0, max: 15 }), givesUpAfterTenths: fc.option(fc.integer({ min: 0, max: 60 })) }), { minLength: 5, maxLength: 60, size: 'max' })
  })
  assertProperty(lines, 700, ({ perSecond, burst, arrivals }) => {
    const second = 1_000_000
    const quota = createQuota('token-bucket', perSecond, second, burst, Math.ceil(8 * second / perSecond))
    const tenthUs = second / perSecond / 10
    const waiting: Array<Serving & { giveUpUs: number, chargedUntilUs: number }> = []
    const served: Serving[] = []
    const verdict = createCheckResult()
    let state = { timeUs: 0, count: 0 }
    let nowUs = 1_790_000_000_000_000
    const letGiveUp = (untilUs: number) => {
      const leaving = waiting.filter(({ giveUpUs }) => giveUpUs <= untilUs).sort((a, b) => a.giveUpUs - b.giveUpUs)
      for (const one of leaving) {
        waiting.splice(waiting.indexOf(one), 1)
        if (!isLastCharge(quota, state, one.chargedUntilUs)) continue
        refundTokenBucket(quota, state, { units: 1, chargedAtUs: 0, chargedUntilUs: one.chargedUntilUs }, one.giveUpUs, verdict)
        state = { timeUs: verdict.timeUs, count: verdict.count }
        returned++
      }
    }
    for (const { afterTenths, givesUpAfterTenths } of arrivals) {
      nowUs += Math.round(afterTenths * tenthUs)
      letGiveUp(nowUs)
      assessTokenBucket(quota, state, 1, nowUs, verdict)
      state = { timeUs: verdict.timeUs, count: verdict.count }
      if (!verdict.granted) continue
      const serving = { dueUs: nowUs + verdict.delayUs, units: 1 }
      const giveUpUs = nowUs + Math.round((givesUpAfterTenths ?? 0) * tenthUs)
      if (givesUpAfterTenths === null || giveUpUs >= serving.dueUs) served.push(serving)
      else waiting.push({ ...serving, giveUpUs, chargedUntilUs: nowUs + verdict.resetUs })
    }
    assertWithinRate(quota, served)
  })
  t.ok(returned > scaleToLane(500), `${returned} places were given back`)
})

t.test('a saturated line is due one emission interval after the other', async (t) => {
  const quota = createQuota('token-bucket', 3, 1_000_000, 1, 10_000_000)
  const bucket = createBucket(quota)
  const delays = Array.from({ length: 7 }, () => bucket.take(1, 1_790_000_000_000_000).delayUs)
  t.strictSame(delays, [0, 333_334, 666_667, 1_000_000, 1_333_334, 1_666_667, 2_000_000])
})

t.test('a refused patient request is granted after exactly the stated wait, and then held for its patience', async () => {
  assertProperty(patientSchedules, 400, (schedule) => {
    runSchedule(schedule, ({ quota, bucket, cost, nowUs, result: { granted, retryUs } }) => {
      assert.equal(granted, retryUs === 0)
      if (granted || retryUs === 'never') return
      assert.equal(copyBucket(quota, bucket).take(cost, nowUs + retryUs - 1).retryUs, 1)
      const { granted: isGranted, delayUs } = copyBucket(quota, bucket).take(cost, nowUs + retryUs)
      assert.ok(isGranted && delayUs > quota.maxDelayUs - 1 && delayUs <= quota.maxDelayUs)
    })
  })
})

t.test('after the clock stepped back a unit waits for at most a window, and is held for at most the patience', async () => {
  assertProperty(fc.tuple(patientSchedules, fc.integer({ min: 1, max: 400 * 86_400_000_000 })), 400, ([schedule, stepUs]) => {
    runSchedule(schedule, ({ quota, bucket, nowUs }) => {
      const atUs = Math.max(0, nowUs - stepUs)
      const { granted, delayUs, retryUs } = copyBucket(quota, bucket).take(1, atUs)
      assert.ok(delayUs <= quota.maxDelayUs)
      if (!granted) assert.ok(retryUs !== 'never' && retryUs <= quota.windowUs)
      const impatient = withMaxDelay(quota, 0)
      const alone = createBucket(impatient, bucket.state()).take(1, atUs)
      if (!alone.granted) assert.ok(alone.retryUs !== 'never' && alone.retryUs <= Math.max(quota.windowUs, quota.maxDelayUs + Math.ceil(quota.windowUs / quota.max) + 1))
    })
  })
})

t.test('a quota has room for the longest line, its last microsecond begun', async () => {
  assertProperty(patientSchedules, 700, ({ quota }) => {
    const line = BigInt(quota.capacityUs + quota.maxDelayUs) * BigInt(quota.intervalDen) + BigInt(quota.capacityNum)
    assert.ok(BigInt(quota.ceilingUs) * BigInt(quota.intervalDen) >= line)
    assert.equal(withMaxDelay(quota, 0).ceilingUs, quota.ceilingUs)
  })
})

t.test('patience is a matter of token buckets that grant something', async (t) => {
  t.equal(createQuota('token-bucket', 10, 1_000_000, 10, 500).maxDelayUs, 500)
  t.equal(createQuota('token-bucket', 10, 1_000_000).maxDelayUs, 0)
  t.equal(createQuota('token-bucket', 0, 1_000_000, 10, 500).maxDelayUs, 0)
  t.equal(createQuota('fixed-window', 10, 1_000_000, 10, 500).maxDelayUs, 0)
  t.equal(createQuota('sliding-window', 10, 1_000_000, 10, 500).maxDelayUs, 0)
})

t.test('a line that would leave 2^53 is refused', async (t) => {
  t.notOk(isExact(createQuota('token-bucket', 1, 1_000_000, 1, 2 ** 50)), 'too long a time')
  t.notOk(isExact(createQuota('token-bucket', 1_999_993, 1_000_000, 10, 2 ** 40)), 'too many units')
  t.ok(isExact(createQuota('token-bucket', 1_999_993, 1_000_000, 10, 60_000_000)))
})
