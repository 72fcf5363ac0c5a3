import { createQuota, type Algorithm } from '../lib/algorithms/quota.js'
import { createCarryOverModel, type CarryOverModelOptions } from './carry-over.js'
import { RULES, WRONG_RULES, type WrongRule } from './carry-over-rules.js'
import { explore, type Exploration } from './explore.js'

/** A version of a limit: its window is a number of ticks. */
type Version = readonly [algorithm: Algorithm, max: number, ticks: number, burst?: number]

/** Twelve microseconds, so that most intervals are whole numbers. */
const TICK_US = 12

const MAX_STATES = 200_000

function share (...rows: readonly Version[]): CarryOverModelOptions {
  const versions = rows.map(([algorithm, max, ticks, burst]) => createQuota(algorithm, max, ticks * TICK_US, burst))
  return { tickUs: TICK_US, versions }
}

const LOWERED_BUCKET = share(['token-bucket', 4, 4], ['token-bucket', 2, 4])
const LOWERED_LOG = share(['sliding-window', 4, 4], ['sliding-window', 2, 4])
const LOWERED_WINDOW = share(['fixed-window', 4, 4], ['fixed-window', 2, 4])
/** The rate is the same, but not the length: each version is used up at once, and its units end at another time. */
const SHORT_LOG: CarryOverModelOptions = { ...share(['sliding-window', 4, 4], ['sliding-window', 2, 2]), maxGrants: 9 }
const SHORT_WINDOW: CarryOverModelOptions = { ...share(['fixed-window', 4, 4], ['fixed-window', 2, 2]), maxGrants: 14 }

/** Small enough for each run of the tests. */
export const CASES = {
  'a token bucket is lowered': LOWERED_BUCKET,
  'a token bucket, small and fast': share(['token-bucket', 6, 12], ['token-bucket', 1, 1]),
  'a token bucket, small and slow': share(['token-bucket', 6, 3], ['token-bucket', 2, 4]),
  'a token bucket with another burst': share(['token-bucket', 4, 8, 6], ['token-bucket', 4, 8, 1]),
  'refunds to a token bucket': { ...share(['token-bucket', 4, 8], ['token-bucket', 1, 1]), hasRefunds: true },
  'three token buckets': share(['token-bucket', 4, 4], ['token-bucket', 2, 1], ['token-bucket', 3, 8]),
  'an interval with a fraction': { tickUs: 5, versions: [createQuota('token-bucket', 3, 20), createQuota('token-bucket', 2, 15)] },
  'a sliding window is lowered': { ...LOWERED_LOG, hasRefunds: true },
  'a sliding window, shorter and faster': share(['sliding-window', 3, 4], ['sliding-window', 3, 2]),
  'a sliding window, longer': share(['sliding-window', 4, 4], ['sliding-window', 2, 8]),
  'a fixed window is lowered': { ...LOWERED_WINDOW, hasRefunds: true },
  'a fixed window, shorter and faster': share(['fixed-window', 3, 4], ['fixed-window', 3, 2]),
  'windows of one rate': { ...SHORT_LOG, bound: 'sum' },
  'a token bucket and a sliding window': share(['token-bucket', 2, 4], ['sliding-window', 4, 4]),
  'a token bucket and a fixed window': share(['token-bucket', 3, 3], ['fixed-window', 3, 3]),
  'a sliding window and a fixed window': share(['sliding-window', 2, 4], ['fixed-window', 4, 4]),
  'a limit of no units': share(['token-bucket', 3, 3], ['token-bucket', 0, 3], ['sliding-window', 0, 3])
} satisfies Readonly<Record<string, CarryOverModelOptions>>

export type Case = keyof typeof CASES

/** For the full lane: up to a hundred thousand states each. */
export const LARGE_CASES = {
  'larger token buckets': { ...share(['token-bucket', 12, 12], ['token-bucket', 5, 10]), hasRefunds: true },
  'an interval with a larger fraction': { tickUs: 5, versions: [createQuota('token-bucket', 3, 20), createQuota('token-bucket', 7, 30)] },
  'four token buckets': share(['token-bucket', 8, 8], ['token-bucket', 3, 1], ['token-bucket', 4, 12], ['token-bucket', 6, 6, 1]),
  'larger sliding windows': share(['sliding-window', 6, 6], ['sliding-window', 2, 6], ['sliding-window', 4, 6]),
  'larger sliding windows of other lengths': share(['sliding-window', 6, 4], ['sliding-window', 3, 8]),
  'larger fixed windows': share(['fixed-window', 9, 12], ['fixed-window', 5, 12], ['fixed-window', 2, 12]),
  'more grants of windows of one rate': { ...SHORT_LOG, maxGrants: 16, bound: 'sum' },
  'all algorithms': share(['token-bucket', 6, 6], ['sliding-window', 4, 6], ['fixed-window', 6, 6])
} satisfies Readonly<Record<string, CarryOverModelOptions>>

/** Where the rate is the same, the sum is the bound: the largest version alone is too little. */
export const TIGHT_CASES = {
  'sliding windows of one rate': SHORT_LOG,
  'fixed windows of one rate': SHORT_WINDOW
} satisfies Readonly<Record<string, CarryOverModelOptions>>

/** In which of the cases each wrong variant breaks a bound or a claim. */
export const CAUGHT_IN: Readonly<Record<WrongRule, Case>> = {
  'a change gives a fresh bucket': 'a token bucket is lowered',
  'no overuse is kept': 'a token bucket is lowered',
  'units of a window outlast it': 'a sliding window is lowered',
  'an overuse is kept by the next change only': 'three token buckets',
  'the overuse drains twice as fast': 'a token bucket, small and fast',
  'the overuse drains at the slower rate': 'a token bucket, small and fast',
  'the overuse never drains': 'a token bucket with another burst',
  'grants are not added to the overuse': 'a token bucket with another burst',
  'the time of a bucket is not scaled': 'a sliding window, shorter and faster',
  'the share that is used stays used, not the units': 'a token bucket is lowered',
  'a part of a unit is forgotten': 'an interval with a fraction',
  'another algorithm begins again': 'a sliding window and a fixed window',
  'a change uses up the bucket': 'a fixed window is lowered',
  'a refusal does not write the new numbers': 'a token bucket, small and slow',
  'a limit of no units takes the bucket over': 'a limit of no units',
  'a refund is not taken from the overuse': 'refunds to a token bucket'
}

export function exploreCase (options: CarryOverModelOptions, wrong?: WrongRule): Exploration {
  return explore(createCarryOverModel(options, wrong === undefined ? RULES : { ...RULES, ...WRONG_RULES[wrong] }), MAX_STATES)
}
