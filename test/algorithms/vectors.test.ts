import t from 'tap'
import { isExact, quotaOf, type Algorithm } from '../../lib/algorithms/quota.js'
import type { Verdict } from '../../lib/algorithms/verdict.js'
import { algorithms, bucketOf, type Bucket } from '../fixtures/bucket.js'
import { vectorsOf, type Expectation, type Vector } from '../fixtures/vectors.js'

function quotaFor (algorithm: Algorithm, { limit }: Vector) {
  return quotaOf(algorithm, limit.max, limit.windowUs, limit.burst)
}

function ask (bucket: Bucket, row: Vector): Verdict {
  if (row.cost !== undefined) return bucket.take(row.cost, row.nowUs)
  if (row.charge !== undefined) return bucket.charge(row.charge, row.nowUs)
  const marks = { chargedAtUs: row.chargedAtUs ?? 0, chargedUntilUs: row.chargedUntilUs ?? 0 }
  return bucket.refund(row.refund ?? 0, marks, row.nowUs)
}

function answerTo (algorithm: Algorithm, row: Vector): Expectation {
  const bucket = bucketOf(quotaFor(algorithm, row), row.state)
  const { granted, remaining, resetUs, retryUs } = ask(bucket, row)
  const state = bucket.state()
  return row.cost === undefined ? { remaining, resetUs, state } : { granted, remaining, resetUs, retryUs, state }
}

function numbersIn (value: unknown): number[] {
  if (typeof value === 'number') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : []
}

for (const algorithm of algorithms) {
  t.test(algorithm, async (t) => {
    for (const row of vectorsOf(algorithm)) {
      t.strictSame(answerTo(algorithm, row), row.expect, row.title)
    }
  })

  t.test(`the ${algorithm} table holds only whole numbers, and limits whose arithmetic is exact`, async (t) => {
    for (const row of vectorsOf(algorithm)) {
      t.ok(numbersIn(row).every(number => Number.isSafeInteger(number) && number >= 0), row.title)
      t.ok(isExact(quotaFor(algorithm, row)), row.title)
    }
  })
}
