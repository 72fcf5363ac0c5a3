import assert from 'node:assert/strict'
import t from 'tap'
import fc from 'fast-check'
import { algorithms, createBucket, copyBucket } from '../fixtures/bucket.js'
import { runSchedule } from '../fixtures/histories.js'
import { assertProperty } from '../fixtures/property.js'
import { schedules } from '../fixtures/schedules.js'

const DAY_US = 86_400_000_000

/** How far the clock goes back: a slew, a few windows' worth, days; never before its zero. */
const stepsBack = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 10_000_000 }), fc.integer({ min: 1, max: 400 * DAY_US }))

for (const algorithm of algorithms) {
  const histories = fc.record({ schedule: schedules(algorithm), stepUs: stepsBack, debt: fc.option(fc.integer({ min: 1, max: 5_000_000 })) })

  t.test(`${algorithm}: a unit waits at most one window after the clock stepped back, however often it is asked for`, async () => {
    assertProperty(histories, 300, ({ schedule, stepUs, debt }) => {
      runSchedule(schedule, ({ quota, bucket, nowUs }) => {
        const client = copyBucket(quota, bucket)
        if (debt !== null) client.charge(debt, nowUs)
        const atUs = Math.max(0, nowUs - stepUs)
        const { granted, retryUs } = client.take(1, atUs)
        if (granted || retryUs === 'never') return
        assert.ok(retryUs <= quota.windowUs, `waits ${retryUs} us`)
        assert.equal(client.take(1, atUs + Math.floor(retryUs / 2)).granted, false)
        assert.equal(client.take(1, atUs + retryUs - 1).retryUs, 1)
        assert.equal(client.take(1, atUs + retryUs).granted, true)
      })
    })
  })

  t.test(`${algorithm}: a clock that stepped back gives nothing back`, async () => {
    assertProperty(histories, 300, ({ schedule, stepUs }) => {
      runSchedule(schedule, ({ quota, bucket, nowUs, result }) => {
        const { remaining } = createBucket(quota, bucket.state()).take(0, Math.max(0, nowUs - stepUs))
        assert.ok(remaining <= result.remaining)
      })
    })
  })

  t.test(`${algorithm}: a debt keeps a unit out for at most one window`, async () => {
    assertProperty(histories, 300, ({ schedule, debt }) => {
      runSchedule(schedule, ({ quota, bucket, nowUs }) => {
        const client = copyBucket(quota, bucket)
        client.charge(debt ?? Number.MAX_SAFE_INTEGER, nowUs)
        const { retryUs } = client.take(1, nowUs)
        assert.ok(retryUs !== 'never' && retryUs <= quota.windowUs)
      })
    })
  })
}
