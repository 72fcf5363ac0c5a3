import { createQuota, type Algorithm } from '../algorithms/quota.js'
import type { Limit, Penalty } from '../stores/store.js'

export const SECOND_US = 1_000_000
export const ALGORITHMS: readonly Algorithm[] = ['token-bucket', 'sliding-window', 'fixed-window']

interface LimitNumbers {
  readonly algorithm?: Algorithm
  readonly max?: number
  readonly windowUs?: number
  readonly burst?: number
  readonly bucket?: string
  readonly mode?: Limit['mode']
  readonly by?: Limit['by']
  readonly maxDelayUs?: number
  readonly penalty?: Penalty | null
}

/** A limit of 10 units in 10 seconds by a token bucket, unless told otherwise. */
export function createLimit ({ algorithm = 'token-bucket', max = 10, windowUs = 10 * SECOND_US, burst, bucket = 'app/default', mode = 'enforce', by = 'client', maxDelayUs, penalty = null }: LimitNumbers = {}): Limit {
  return { ...createQuota(algorithm, max, windowUs, burst, maxDelayUs), name: bucket, bucket, by, mode, penalty }
}

/** Three strikes within a minute earn ten seconds, twice as long each time, at most a minute; unless told otherwise. */
export function createPenalty (numbers: Partial<Penalty> = {}): Penalty {
  return { bucket: 'app/default', strikes: 3, withinUs: 60 * SECOND_US, cooldownUs: 10 * SECOND_US, factor: 2, maxCooldownUs: 60 * SECOND_US, ...numbers }
}
