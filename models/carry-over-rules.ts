import { keepOveruse } from '../lib/algorithms/carry-over.js'
import type { Quota } from '../lib/algorithms/quota.js'
import { clearBucket, convertBucket, noteUsed, refundBucket, type Bucket } from '../lib/stores/memory/bucket.js'

/** What decides in the model: the functions that the scripts in Redis are twins of. */
export interface Rules {
  /** A bucket that was written under one limit is read for another. */
  readonly convert: typeof convertBucket
  /** Units were granted from a bucket. */
  readonly note: typeof noteUsed
  /** Units are given back. */
  readonly refund: typeof refundBucket
  /** Whether a converted bucket is written though nothing is taken. */
  readonly writesRefused: boolean
  /** Whether a limit without units leaves the bucket as it is. */
  readonly keepsBelowNothing: boolean
}

export const RULES: Rules = { convert: convertBucket, note: noteUsed, refund: refundBucket, writesRefused: true, keepsBelowNothing: true }

/** Convert a bucket, then change the result. `before` is the bucket as it was written. */
type Change = (bucket: Bucket, before: Readonly<Bucket>, written: Quota, limit: Quota, nowUs: number) => void

function thenChange (change: Change): Pick<Rules, 'convert'> {
  return {
    convert: (bucket, written, limit, nowUs) => {
      const before = { ...bucket, log: bucket.log === null ? null : [...bucket.log] }
      convertBucket(bucket, written, limit, nowUs)
      change(bucket, before, written, limit, nowUs)
    }
  }
}

/** Rules that break a bound. Each replaces one rule. */
export const WRONG_RULES = {
  'a change gives a fresh bucket': { convert: (bucket, _written, _limit, nowUs) => { clearBucket(bucket, nowUs) } },
  'no overuse is kept': thenChange((bucket) => { bucket.overuse = null }),
  'units of a window outlast it': thenChange((bucket, _before, written, limit, nowUs) => {
    const used = bucket.log === null ? bucket.count : bucket.log[1]
    if (limit.algorithm !== 'token-bucket') bucket.overuse = keepOveruse(written, limit, used, nowUs)
  }),
  'an overuse is kept by the next change only': thenChange((bucket, { overuse }) => { if (overuse !== null) bucket.overuse = null }),
  'the overuse drains twice as fast': thenChange((bucket) => {
    if (bucket.overuse !== null) bucket.overuse = { ...bucket.overuse, max: 2 * bucket.overuse.max }
  }),
  'the overuse drains at the slower rate': thenChange((bucket, _before, written, limit) => {
    if (bucket.overuse === null) return
    const { max, windowUs } = written.max * limit.windowUs >= limit.max * written.windowUs ? limit : written
    bucket.overuse = { ...bucket.overuse, max, windowUs }
  }),
  'the overuse never drains': thenChange((bucket, _before, _written, _limit, nowUs) => {
    if (bucket.overuse !== null) bucket.overuse = { ...bucket.overuse, atUs: nowUs + 1_000_000 }
  }),
  'grants are not added to the overuse': { note: () => {} },
  'the time of a bucket is not scaled': thenChange((bucket, before, written, limit) => {
    if (written.algorithm !== limit.algorithm || before.overuse !== null) return
    bucket.timeUs = before.timeUs
    bucket.count = before.count
    bucket.log = before.log
  }),
  'the share that is used stays used, not the units': {
    convert: (bucket, written, limit, nowUs) => {
      convertBucket(bucket, { ...written, max: limit.max, capacity: limit.capacity, intervalDen: limit.intervalDen }, limit, nowUs)
    }
  },
  'a part of a unit is forgotten': thenChange((bucket, _before, _written, limit) => {
    if (limit.algorithm === 'token-bucket' && bucket.count > 0) bucket.count = 0
  }),
  'another algorithm begins again': {
    convert: (bucket, written, limit, nowUs) => {
      if (written.algorithm === limit.algorithm) convertBucket(bucket, written, limit, nowUs)
      else clearBucket(bucket, nowUs)
    }
  },
  'a change uses up the bucket': {
    convert: (bucket, written, limit, nowUs) => {
      bucket.overuse = { atUs: nowUs, units: limit.capacity, max: written.max, windowUs: written.windowUs }
      convertBucket(bucket, written, limit, nowUs)
    }
  },
  'a refusal does not write the new numbers': { writesRefused: false },
  'a limit of no units takes the bucket over': { keepsBelowNothing: false },
  'a refund is not taken from the overuse': {
    refund: (quota, bucket, refund, nowUs, result) => {
      const { overuse } = bucket
      refundBucket(quota, bucket, refund, nowUs, result)
      bucket.overuse = overuse
    }
  }
} satisfies Readonly<Record<string, Partial<Rules>>>

export type WrongRule = keyof typeof WRONG_RULES
