import { advanceLeases, closeLeases, leaseUnits, openLeases, settleLeases, type LeasedBucket } from '../lib/algorithms/lease.js'
import type { Quota } from '../lib/algorithms/quota.js'
import { assessTokenBucket, refundTokenBucket } from '../lib/algorithms/token-bucket.js'
import type { Lease } from './lease-state.js'

/** What decides in the model: the functions that the scripts in Redis are twins of, and the rules of a holder of leases. */
export interface Rules {
  readonly advance: typeof advanceLeases
  readonly open: typeof openLeases
  readonly close: typeof closeLeases
  readonly settle: typeof settleLeases
  readonly lease: typeof leaseUnits
  readonly take: typeof assessTokenBucket
  readonly refund: typeof refundTokenBucket
  /** Whether the holder may use a lease at this moment. */
  readonly isAlive: (lease: Pick<Lease, 'endIn'>) => boolean
  /** The units to report as spent now. They are not reported again. */
  readonly report: (lease: Lease) => number
  /** The units to give back now. They are not spent afterwards. */
  readonly giveBack: (lease: Lease) => number
  /** Whether the life of a lease passes while the reply with it is on its way. */
  readonly replyAges: boolean
  /** Whether a request for leases can be executed twice. */
  readonly isSentTwice: boolean
  /** Whether a reply that arrives twice is taken twice. */
  readonly isTakenTwice: boolean
}

export const RULES: Rules = {
  advance: advanceLeases,
  open: openLeases,
  close: closeLeases,
  settle: settleLeases,
  lease: leaseUnits,
  take: assessTokenBucket,
  refund: refundTokenBucket,
  isAlive: ({ endIn }) => endIn > 0,
  report: (lease) => {
    const { unreported } = lease
    lease.unreported = 0
    return unreported
  },
  giveBack: (lease) => {
    const { left } = lease
    lease.left = 0
    return left
  },
  replyAges: true,
  isSentTwice: false,
  isTakenTwice: false
}

function withoutLeased (quota: Quota, bucket: LeasedBucket, direction: 1 | -1): void {
  bucket.timeUs -= direction * (bucket.apart + bucket.apartNext) * quota.intervalUs
}

/** Rules that break the bound. Each replaces one rule. */
export const WRONG_RULES = {
  'spent after the end': { isAlive: ({ endIn }) => endIn >= -1 },
  'no expiry at the holder': { isAlive: () => true },
  'the life counts from the reply': { replyAges: false },
  'a report is sent twice': { report: ({ unreported }) => unreported },
  'a request is executed twice': { isSentTwice: true },
  'a reply is taken twice': { isTakenTwice: true },
  'reserved units are reported as spent, and given back': {
    report: (lease) => {
      const units = lease.unreported + lease.away
      lease.unreported = 0
      return units
    }
  },
  'returned, and still spent': { giveBack: ({ left }) => left },
  'forgotten at the end: nothing drains': {
    advance: (quota, bucket, nowUs) => {
      const units = bucket.apart + bucket.apartNext
      advanceLeases(quota, bucket, nowUs)
      bucket.timeUs -= (units - bucket.apart - bucket.apartNext) * quota.intervalUs
    }
  },
  'leased units drain from the start': {
    advance: (quota, bucket, nowUs) => {
      const { timeUs, count } = bucket
      advanceLeases(quota, bucket, nowUs)
      bucket.timeUs = timeUs
      bucket.count = count
    }
  },
  'leases of the next slot end with the current one': {
    advance: (quota, bucket, nowUs) => {
      const isOver = bucket.slotEndUs <= nowUs
      advanceLeases(quota, bucket, nowUs)
      if (isOver) bucket.apart = 0
    }
  },
  'exact takes overlook leased units': {
    take: (quota, bucket, cost, nowUs, result) => {
      const leased = bucket as LeasedBucket
      if (cost === 0) return assessTokenBucket(quota, bucket, cost, nowUs, result)
      const state = { ...leased }
      withoutLeased(quota, state, 1)
      assessTokenBucket(quota, state, cost, nowUs, result)
      result.timeUs += (leased.apart + leased.apartNext) * quota.intervalUs
    }
  },
  'leased beyond what is left': {
    lease: (quota, bucket, remaining, request, nowUs) => leaseUnits(quota, bucket, remaining + 1, request, nowUs)
  },
  'leased units are not counted as used': {
    lease: (quota, bucket, remaining, request, nowUs) => {
      const { timeUs, count } = bucket
      const units = leaseUnits(quota, bucket, remaining, request, nowUs)
      bucket.timeUs = timeUs
      bucket.count = count
      return units
    }
  },
  'reports are taken without their slot': {
    settle: (quota, bucket, reports, nowUs) => {
      const slotEndUs = bucket.apartNext > 0 ? bucket.slotEndUs + bucket.gridUs : bucket.slotEndUs
      settleLeases(quota, bucket, reports.map((report) => ({ ...report, slotEndUs })), nowUs)
    }
  },
  'spent units are given back': {
    settle: (quota, bucket, reports, nowUs) => {
      settleLeases(quota, bucket, reports.map((report) => ({ ...report, returned: report.returned + report.spent, spent: 0 })), nowUs)
    }
  },
  'leases begin at once after a loss': {
    open: (bucket, gridUs, nowUs) => {
      if (bucket.slotEndUs > 0) return openLeases(bucket, gridUs, nowUs)
      openLeases(bucket, gridUs, nowUs)
      bucket.slotEndUs -= 2 * gridUs
    }
  },
  'leases begin at once after a reset': {
    close: (bucket, nowUs) => {
      if (!closeLeases(bucket, nowUs)) return false
      bucket.slotEndUs -= 2 * bucket.gridUs
      return true
    }
  }
} satisfies Readonly<Record<string, Partial<Rules>>>

export type WrongRule = keyof typeof WRONG_RULES
