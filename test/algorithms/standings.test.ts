import assert from 'node:assert/strict'
import t from 'tap'
import { algorithms, createBucket, copyBucket } from '../fixtures/bucket.js'
import { runSchedule, probeBucket } from '../fixtures/histories.js'
import { assertProperty } from '../fixtures/property.js'
import { schedules } from '../fixtures/schedules.js'

const RUNS = 250

for (const algorithm of algorithms) {
  t.test(`${algorithm}: a refused request leaves nothing behind that anyone could see`, async () => {
    assertProperty(schedules(algorithm), RUNS, (schedule) => {
      runSchedule(schedule, ({ quota, bucket, before, nowUs, result }) => {
        if (!result.granted) assert.deepEqual(probeBucket(quota, bucket, nowUs), probeBucket(quota, before, nowUs))
      })
    })
  })

  t.test(`${algorithm}: a request is refused until exactly the stated wait, and granted at it`, async () => {
    assertProperty(schedules(algorithm), RUNS, (schedule) => {
      runSchedule(schedule, ({ quota, bucket, cost, nowUs, result: { granted, retryUs } }) => {
        assert.equal(granted, retryUs === 0)
        if (granted || retryUs === 'never') return
        assert.equal(copyBucket(quota, bucket).take(cost, nowUs + retryUs).granted, true)
        assert.equal(copyBucket(quota, bucket).take(cost, nowUs + retryUs - 1).retryUs, 1)
      })
    })
  })

  t.test(`${algorithm}: 'never' is said of a cost above the capacity and of nothing else`, async () => {
    assertProperty(schedules(algorithm), RUNS, (schedule) => {
      runSchedule(schedule, ({ quota, cost, result }) => {
        assert.equal(result.retryUs === 'never', cost > quota.capacity)
      })
    })
  })

  t.test(`${algorithm}: a remaining of r means that r units can be taken one by one, and no more`, async () => {
    assertProperty(schedules(algorithm, 100), RUNS, (schedule) => {
      runSchedule(schedule, ({ quota, bucket, nowUs, result: { remaining } }) => {
        const client = copyBucket(quota, bucket)
        for (let left = remaining; left > 0; left--) {
          const verdict = client.take(1, nowUs)
          assert.equal(verdict.granted, true)
          assert.equal(verdict.remaining, left - 1)
        }
        assert.equal(client.take(1, nowUs).granted, false)
      })
    })
  })

  t.test(`${algorithm}: a remaining of r means that r units can be taken at once, and no more`, async () => {
    assertProperty(schedules(algorithm), RUNS, (schedule) => {
      runSchedule(schedule, ({ quota, bucket, nowUs, result: { remaining } }) => {
        assert.equal(copyBucket(quota, bucket).take(remaining, nowUs).granted, true)
        assert.equal(copyBucket(quota, bucket).take(remaining + 1, nowUs).granted, false)
      })
    })
  })

  t.test(`${algorithm}: after the reset a bucket cannot be told from a new one, 1 us before it can`, async () => {
    assertProperty(schedules(algorithm), RUNS, (schedule) => {
      runSchedule(schedule, ({ quota, bucket, nowUs, result: { resetUs } }) => {
        const atUs = nowUs + resetUs
        assert.deepEqual(probeBucket(quota, bucket, atUs), probeBucket(quota, createBucket(quota), atUs))
        if (resetUs > 0) assert.equal(copyBucket(quota, bucket).take(quota.capacity, atUs - 1).granted, false)
      })
    })
  })
}
