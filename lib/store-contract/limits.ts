import type { Calendar } from '../algorithms/calendar.js'
import { createCalendarQuota, createQuota, type Algorithm, type QuotaAlgorithm } from '../algorithms/quota.js'
import type { Limit, Penalty } from '../stores/store.js'

export const SECOND_US = 1_000_000
export const ALGORITHMS: readonly Algorithm[] = ['token-bucket', 'sliding-window', 'fixed-window']

/** A calendar whose periods have equal lengths, from 1970 on. */
export function createGrid (lengthUs: number, { offsetUs = 0, keepsEnd = false }: GridSettings = {}): Calendar {
  return {
    unit: 'hour',
    description: 'grid',
    isPerClient: false,
    keepsEnd,
    periodAt (us) {
      const startUs = Math.floor((us - offsetUs) / lengthUs) * lengthUs + offsetUs
      return { startUs, endUs: startUs + lengthUs }
    }
  }
}

interface GridSettings {
  /** Start of one of the periods. Default 0. */
  readonly offsetUs?: number
  /** Default false. */
  readonly keepsEnd?: boolean
}

interface LimitNumbers {
  readonly algorithm?: QuotaAlgorithm
  /** Of a calendar window. Default: periods of `windowUs`. */
  readonly calendar?: Calendar | null
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
  const quota = algorithm === 'calendar-window'
    ? createCalendarQuota(max, windowUs, numbers.calendar ?? createGrid(windowUs))
    : createQuota(algorithm, max, windowUs, burst, maxDelayUs)
  return { ...quota, name: bucket, bucket, by, mode, penalty }
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
