import { createQuota, type Algorithm } from '../algorithms/quota.js'
import type { Limit, Penalty } from '../stores/store.js'

export const SECOND_US = 1_000_000
export const ALGORITHMS: readonly Algorithm[] = ['token-bucket', 'sliding-window', 'fixed-window']

interface LimitNumbers {
  readonly algorithm?: Limit['algorithm']
  readonly max?: number
  readonly windowUs?: number
  readonly burst?: number
  readonly bucket?: string
  readonly mode?: Limit['mode']
  readonly by?: Limit['by']
  readonly maxDelayUs?: number
  readonly penalty?: Penalty | null
}

/** Create a limit. By default a token bucket of 10 units in 10 seconds. */
export function createLimit (numbers: LimitNumbers = {}): Limit {
  const { algorithm = 'token-bucket', max = 10, windowUs = 10 * SECOND_US, burst, maxDelayUs } = numbers
  const { bucket = 'app/default', mode = 'enforce', by = 'client', penalty = null } = numbers
  return { ...createQuota(algorithm, max, windowUs, burst, maxDelayUs), name: bucket, bucket, by, mode, penalty }
}

/** Create a penalty. By default three strikes within a minute block for ten seconds, doubled each time, up to a minute. */
export function createPenalty (numbers: Partial<Penalty> = {}): Penalty {
  return {
    bucket: 'app/default',
    strikes: 3,
    withinUs: 60 * SECOND_US,
    cooldownUs: 10 * SECOND_US,
    factor: 2,
    maxCooldownUs: 60 * SECOND_US,
    ...numbers
  }
}
