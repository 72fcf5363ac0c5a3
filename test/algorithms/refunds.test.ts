import assert from 'node:assert/strict'
import t from 'tap'
import type { Quota } from '../../lib/algorithms/quota.js'
import type { CheckResult } from '../../lib/algorithms/check-result.js'
import { algorithms, createBucket, copyBucket } from '../fixtures/bucket.js'
import { runSchedule, probeBucket, type GrantedCharge } from '../fixtures/histories.js'
import { assertProperty } from '../fixtures/property.js'
import { computeCost, schedules, computeTime, type Schedule } from '../fixtures/schedules.js'

const RUNS = 400

/** Live through a schedule whose steps also give earlier grants back, each at most once. */
function withRefunds ({ quota, startUs, steps }: Schedule, taken: (grant: GrantedCharge) => void, undone: (grant: GrantedCharge, nowUs: number) => void): void {
  const bucket = createBucket(quota)
  const grants: GrantedCharge[] = []
  let verdict: CheckResult | null = null
  let nowUs = startUs
  for (const step of steps) {
    nowUs = computeTime(quota, step, verdict, nowUs)
    const cost = computeCost(quota, step)
    verdict = bucket.take(cost, nowUs)
    if (verdict.granted) {
      grants.push({ cost, chargedAtUs: nowUs, chargedUntilUs: nowUs + verdict.resetUs })
      taken(grants[grants.length - 1])
    }
    const [grant] = step.refunds === null || step.refunds >= grants.length ? [] : grants.splice(-1 - step.refunds, 1)
    if (grant === undefined) continue
    bucket.refund(grant.cost, grant, nowUs)
    undone(grant, nowUs)
  }
}

for (const algorithm of algorithms) {
  t.test(`${algorithm}: units that are given back at once can be taken again`, async () => {
    assertProperty(schedules(algorithm), RUNS, (schedule) => {
      runSchedule(schedule, ({ quota, bucket, before, cost, nowUs, result }) => {
        if (!result.granted) return
        const client = copyBucket(quota, bucket)
        const { remaining, resetUs } = client.refund(cost, { chargedAtUs: nowUs, chargedUntilUs: nowUs + result.resetUs }, nowUs)
        const old = before.take(0, nowUs)
        assert.equal(remaining, result.remaining + cost)
        assert.equal(remaining, old.remaining)
        // The newest entry of a log keeps the time of its last grant, even of one that was given back.
        const keptUs = algorithm === 'sliding-window' ? quota.mergeUs : 0
        assert.ok(resetUs >= old.resetUs && resetUs <= old.resetUs + keptUs)
      })
    })
  })

  t.test(`${algorithm}: units that no longer count cannot be given back`, async () => {
    assertProperty(schedules(algorithm), RUNS, (schedule) => {
      const grants: GrantedCharge[] = []
      runSchedule(schedule, ({ quota, bucket, cost, nowUs, result }) => {
        const hasExpired = (grant: GrantedCharge) => nowUs >= (algorithm === 'token-bucket' ? grant.chargedUntilUs : grant.chargedAtUs + quota.windowUs)
        const expired = grants.filter(hasExpired).at(-1)
        if (expired !== undefined) {
          const client = copyBucket(quota, bucket)
          client.refund(expired.cost, expired, nowUs)
          assert.deepEqual(probeBucket(quota, client, nowUs), probeBucket(quota, bucket, nowUs))
        }
        if (result.granted) grants.push({ cost, chargedAtUs: nowUs, chargedUntilUs: nowUs + result.resetUs })
      })
    })
  })

  t.test(`${algorithm}: a refund gives back no more than its units, and never beyond a new bucket`, async () => {
    assertProperty(schedules(algorithm), RUNS, (schedule) => {
      runSchedule(schedule, ({ quota, bucket, cost, nowUs, result }) => {
        const laterUs = nowUs + Math.floor(quota.windowUs / 7)
        const untouched = copyBucket(quota, bucket).take(0, laterUs)
        const { remaining } = copyBucket(quota, bucket).refund(cost, { chargedAtUs: nowUs, chargedUntilUs: nowUs + result.resetUs }, laterUs)
        assert.ok(remaining >= untouched.remaining && remaining <= untouched.remaining + cost && remaining <= quota.capacity)
      })
    })
  })
}

/** Over all pairs of events: what was granted less what was given back, in units of 1/max microseconds. */
function isWithinRate (quota: Quota, events: ReadonlyArray<{ atUs: number, amount: bigint }>): boolean {
  const capacity = BigInt(quota.capacity) * BigInt(quota.windowUs)
  return events.every((first, index) => {
    let amount = 0n
    return events.slice(index).every((event) => {
      amount += event.amount
      return amount <= capacity + BigInt(event.atUs - first.atUs) * BigInt(quota.max)
    })
  })
}

t.test('token-bucket: grants less refunds, each at its own time, stay within burst + t * max / window', async () => {
  assertProperty(schedules('token-bucket'), RUNS, (schedule) => {
    const { quota } = schedule
    const events: Array<{ atUs: number, amount: bigint }> = []
    const amountOf = (units: number) => BigInt(units) * BigInt(quota.windowUs)
    withRefunds(schedule, ({ cost, chargedAtUs }) => {
      events.push({ atUs: chargedAtUs, amount: amountOf(cost) })
    }, ({ cost, chargedUntilUs }, nowUs) => {
      const undrained = BigInt(Math.max(0, chargedUntilUs - nowUs)) * BigInt(quota.max)
      events.push({ atUs: nowUs, amount: amountOf(cost) < undrained ? -amountOf(cost) : -undrained })
    })
    assert.ok(isWithinRate(quota, events))
  })
})

t.test('fixed-window: grants less refunds between two resets are at most max', async () => {
  assertProperty(schedules('fixed-window'), RUNS, (schedule) => {
    const { quota } = schedule
    // The window that a grant fell into is known by the moment of its reset.
    const used = new Map<number, number>()
    withRefunds(schedule, ({ cost, chargedUntilUs }) => {
      used.set(chargedUntilUs, (used.get(chargedUntilUs) ?? 0) + cost)
      assert.ok((used.get(chargedUntilUs) ?? 0) <= quota.max)
    }, ({ cost, chargedUntilUs }, nowUs) => {
      if (nowUs < chargedUntilUs) used.set(chargedUntilUs, (used.get(chargedUntilUs) ?? 0) - cost)
    })
  })
})
