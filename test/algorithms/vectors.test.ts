import t from 'tap'
import { isExactPenalty } from '../../lib/algorithms/penalty.js'
import { isExact, createQuota, type QuotaAlgorithm } from '../../lib/algorithms/quota.js'
import { isLastCharge } from '../../lib/algorithms/token-bucket.js'
import type { CheckResult } from '../../lib/algorithms/check-result.js'
import { algorithms, createBucket, type Bucket } from '../fixtures/bucket.js'
import { LeasingBucket } from '../fixtures/leased-bucket.js'
import { PenalizedPartition } from '../fixtures/offender.js'
import { loadLeaseVectors, loadPenaltyVectors, loadVectors, toQuota, type Expectation, type Vector } from '../fixtures/vectors.js'

function ask (bucket: Bucket, row: Vector): CheckResult {
  if (row.cost !== undefined) return bucket.take(row.cost, row.nowUs)
  if (row.charge !== undefined) return bucket.charge(row.charge, row.nowUs)
  const marks = { chargedAtUs: row.chargedAtUs ?? 0, chargedUntilUs: row.chargedUntilUs ?? 0 }
  return bucket.refund(row.refund ?? 0, marks, row.nowUs)
}

function answerTo (algorithm: QuotaAlgorithm, row: Vector): Expectation {
  const bucket = createBucket(toQuota(algorithm, row), row.state)
  const { granted, remaining, resetUs, delayUs, retryUs } = ask(bucket, row)
  const state = bucket.state()
  return row.cost === undefined ? { remaining, resetUs, state } : { delayUs, granted, remaining, resetUs, retryUs, state }
}

function numbersIn (value: unknown): number[] {
  if (typeof value === 'number') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : []
}

for (const algorithm of [...algorithms, 'calendar-window'] as const) {
  t.test(algorithm, async (t) => {
    for (const row of loadVectors(algorithm)) {
      t.strictSame(answerTo(algorithm, row), row.cost === undefined ? row.expect : { delayUs: 0, ...row.expect }, row.title)
    }
  })

  t.test(`the ${algorithm} table holds only whole numbers, and limits whose arithmetic is exact`, async (t) => {
    for (const row of loadVectors(algorithm)) {
      t.ok(numbersIn(row).every(number => Number.isSafeInteger(number) && number >= 0), row.title)
      t.ok(isExact(toQuota(algorithm, row)), row.title)
    }
  })
}

t.test('whose charge was the last', async (t) => {
  const rows = loadVectors('token-bucket').filter((row) => row.isLast !== undefined)
  t.ok(rows.length > 5)
  for (const row of rows) {
    if (row.state === null || Array.isArray(row.state)) throw new TypeError('a token bucket is an instant')
    t.equal(isLastCharge(toQuota('token-bucket', row), row.state, row.chargedUntilUs ?? 0), row.isLast, row.title)
  }
})

t.test('penalty', async (t) => {
  for (const { title, rule, conduct, nowUs, strikes, expect } of loadPenaltyVectors()) {
    const offender = new PenalizedPartition(rule, conduct)
    const began = offender.strike(strikes, nowUs)
    const { blockedUs, lifeUs, isToBeStored } = offender.inspect(nowUs)
    t.strictSame({ began, blockedUs, lifeUs, isToBeStored, conduct: offender.state }, expect, title)
    t.ok(isExactPenalty(rule), title)
  }
})

t.test('lease', async (t) => {
  const empty = { timeUs: 0, count: 0, slotEndUs: 0, gridUs: 0, apart: 0, apartNext: 0 }
  const rows = loadLeaseVectors()
  t.ok(rows.length > 50)
  for (const { title, limit, state, nowUs, cost, lease, expect } of rows) {
    const quota = createQuota(limit.algorithm ?? 'token-bucket', limit.max, limit.windowUs, limit.burst)
    const bucket = new LeasingBucket(quota, state ?? undefined)
    const answer = cost === undefined ? bucket.reset(nowUs) : bucket.take(cost, lease, nowUs)
    t.strictSame({ ...answer, state: bucket.state }, { ...expect, state: expect.state ?? empty }, title)
    t.ok(isExact(quota), title)
  }
})
