import assert from 'node:assert/strict'
import t from 'tap'
import { algorithms, bucketOf, copyOf } from '../fixtures/bucket.js'
import { liveThrough, sightOf } from '../fixtures/histories.js'
import { holds } from '../fixtures/property.js'
import { schedules } from '../fixtures/schedules.js'

const RUNS = 250

for (const algorithm of algorithms) {
  t.test(`${algorithm}: a refused request leaves nothing behind that anyone could see`, async () => {
    holds(schedules(algorithm), RUNS, (schedule) => {
      liveThrough(schedule, ({ quota, bucket, before, nowUs, verdict }) => {
        if (!verdict.granted) assert.deepEqual(sightOf(quota, bucket, nowUs), sightOf(quota, before, nowUs))
      })
    })
  })

  t.test(`${algorithm}: a request is refused until exactly the stated wait, and granted at it`, async () => {
    holds(schedules(algorithm), RUNS, (schedule) => {
      liveThrough(schedule, ({ quota, bucket, cost, nowUs, verdict: { granted, retryUs } }) => {
        assert.equal(granted, retryUs === 0)
        if (granted || retryUs === 'never') return
        assert.equal(copyOf(quota, bucket).take(cost, nowUs + retryUs).granted, true)
        assert.equal(copyOf(quota, bucket).take(cost, nowUs + retryUs - 1).retryUs, 1)
      })
    })
  })

  t.test(`${algorithm}: 'never' is said of a cost above the capacity and of nothing else`, async () => {
    holds(schedules(algorithm), RUNS, (schedule) => {
      liveThrough(schedule, ({ quota, cost, verdict }) => {
        assert.equal(verdict.retryUs === 'never', cost > quota.capacity)
      })
    })
  })

  t.test(`${algorithm}: a remaining of r means that r units can be taken one by one, and no more`, async () => {
    holds(schedules(algorithm, 100), RUNS, (schedule) => {
      liveThrough(schedule, ({ quota, bucket, nowUs, verdict: { remaining } }) => {
        const client = copyOf(quota, bucket)
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
    holds(schedules(algorithm), RUNS, (schedule) => {
      liveThrough(schedule, ({ quota, bucket, nowUs, verdict: { remaining } }) => {
        assert.equal(copyOf(quota, bucket).take(remaining, nowUs).granted, true)
        assert.equal(copyOf(quota, bucket).take(remaining + 1, nowUs).granted, false)
      })
    })
  })

  t.test(`${algorithm}: after the reset a bucket cannot be told from a new one, 1 us before it can`, async () => {
    holds(schedules(algorithm), RUNS, (schedule) => {
      liveThrough(schedule, ({ quota, bucket, nowUs, verdict: { resetUs } }) => {
        const atUs = nowUs + resetUs
        assert.deepEqual(sightOf(quota, bucket, atUs), sightOf(quota, bucketOf(quota), atUs))
        if (resetUs > 0) assert.equal(copyOf(quota, bucket).take(quota.capacity, atUs - 1).granted, false)
      })
    })
  })
}
