import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { findPeriod } from '../../lib/algorithms/calendar-window.js'
import { createCalendarQuota } from '../../lib/algorithms/quota.js'
import { createBucket } from '../fixtures/bucket.js'
import { assertProperty } from '../fixtures/property.js'
import { createBoundaryCalendar } from '../fixtures/vectors.js'

const START_US = 1_790_000_000_000_000
const MINUTE_US = 60_000_000

/** Boundaries of periods with lengths of one minute to five. */
const calendars = fc.array(fc.integer({ min: MINUTE_US, max: 5 * MINUTE_US }), { minLength: 20, maxLength: 20 })
  .map((lengths) => lengths.reduce((boundaries, length) => [...boundaries, boundaries[boundaries.length - 1] + length], [START_US]))

const steps = fc.array(fc.record({
  waitUs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: MINUTE_US })),
  atEnd: fc.boolean(),
  cost: fc.integer({ min: 0, max: 6 }),
  refund: fc.option(fc.nat(3))
}), { minLength: 1, maxLength: 60, size: 'max' })

t.test('between two boundaries at most max units are granted, refunds counted, and each wait ends at the boundary', async () => {
  assertProperty(fc.record({ boundaries: calendars, max: fc.integer({ min: 1, max: 12 }), steps }), 1500, ({ boundaries, max, steps }) => {
    const calendar = createBoundaryCalendar(boundaries)
    const quota = createCalendarQuota(max, 5 * MINUTE_US, calendar)
    const bucket = createBucket(quota)
    const granted = new Map<number, number>()
    let nowUs = START_US
    let last: { endUs: number, cost: number, atUs: number } | null = null
    for (const { waitUs, atEnd, cost, refund } of steps) {
      const reachedUs = atEnd ? calendar.periodAt(nowUs).endUs : nowUs + waitUs
      if (reachedUs >= boundaries[19]) return
      nowUs = reachedUs
      const { endUs } = calendar.periodAt(nowUs)
      const result = bucket.take(cost, nowUs)
      const used = granted.get(endUs) ?? 0
      assert.equal(result.granted, used + cost <= max)
      if (result.granted) granted.set(endUs, used + cost)
      const after = granted.get(endUs) ?? 0
      assert.equal(result.remaining, max - after)
      assert.equal(result.resetUs, after === 0 ? 0 : endUs - nowUs)
      if (!result.granted) assert.equal(result.retryUs, cost > max ? 'never' : endUs - nowUs)
      if (refund !== null && last !== null) {
        const units = Math.min(refund, last.cost)
        bucket.refund(units, { chargedAtUs: last.atUs, chargedUntilUs: last.endUs }, nowUs)
        if (last.endUs === endUs) granted.set(endUs, Math.max(0, (granted.get(endUs) ?? 0) - units))
        last = null
      } else if (result.granted) {
        last = { endUs, cost, atUs: nowUs }
      }
    }
  })
})

t.test('a full quota is granted again at each boundary', async (t) => {
  const boundaries = [0, 28, 59, 89, 120].map((minutes) => START_US + minutes * MINUTE_US)
  const bucket = createBucket(createCalendarQuota(10, 31 * MINUTE_US, createBoundaryCalendar(boundaries)))
  for (const boundaryUs of boundaries.slice(1, 4)) {
    t.equal(bucket.take(10, boundaryUs - 1).granted, true)
    t.equal(bucket.take(1, boundaryUs - 1).granted, false)
    t.equal(bucket.take(10, boundaryUs).granted, true)
    bucket.refund(10, { chargedAtUs: boundaryUs, chargedUntilUs: boundaryUs + 1 }, boundaryUs)
  }
})

t.test('a clock that steps back over a boundary starts the period after it again, and locks no client for longer than the current one', async (t) => {
  const boundaries = [0, 10, 20, 30].map((minutes) => START_US + minutes * MINUTE_US)
  const bucket = createBucket(createCalendarQuota(5, 10 * MINUTE_US, createBoundaryCalendar(boundaries)))
  t.equal(bucket.take(5, boundaries[1]).granted, true)
  t.match(bucket.take(1, boundaries[1] - 1000), { granted: false, retryUs: 1000 })
  t.equal(bucket.take(5, boundaries[1]).granted, true)
})

t.test('a calendar window without a calendar is an error with a name', async (t) => {
  const quota = { ...createCalendarQuota(10, MINUTE_US, createBoundaryCalendar([])), calendar: null }
  const error = new TypeError('a calendar window without a calendar')
  t.throws(() => findPeriod(quota, START_US), error)
  t.throws(() => createBucket(quota, { timeUs: START_US + 1, count: 1 }).take(1, START_US), error)
})
