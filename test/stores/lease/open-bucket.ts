import type { LeaseReport } from '../../../lib/algorithms/lease.js'
import { BucketLeases } from '../../../lib/stores/lease/bucket-leases.js'
import { BucketRow } from '../../../lib/stores/lease/bucket-row.js'
import { BucketTable } from '../../../lib/stores/lease/bucket-table.js'
import type { LeaseHolder } from '../../../lib/stores/lease/leased-standing.js'
import type { LeaseCounters } from '../../../lib/stores/lease/lease-counters.js'
import type { LeaseSizing } from '../../../lib/stores/lease/sizing.js'
import type { Limit } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'

export const GRID_US = 100_000
/** By the clock of the store, which is ahead of that of the process. */
export const STORE_US = 50_000_000
export const tokens = limitOf({ max: 1000, windowUs: 1_000_000 })
export const window = limitOf({ algorithm: 'fixed-window', max: 1000, windowUs: 1_000_000 })
export const NOTHING: LeaseReport = { slotEndUs: 0, spent: 0, returned: 0 }

export const NO_HOLDER: LeaseHolder = { refund: () => 0, charge: () => 0 }

/** One bucket, and what the size of its leases was learned from. */
export interface OpenBucket {
  readonly bucket: BucketLeases
  readonly counters: LeaseCounters
  readonly learned: readonly string[]
  /** A reply with a lease that was asked for at `sentAtUs` and lives for a grid. `slotEndUs` names its slot: 1000 more than that. */
  readonly lease: (units: number, sentAtUs?: number, nowUs?: number) => void
  readonly reports: (nowUs: number) => readonly LeaseReport[]
  /** Returns the `id` of the lease that paid. */
  readonly spend: (units: number, nowUs: number) => number
}

/** Open a bucket whose sizes are those of `numbers`. */
export function openBucket (limit: Limit = tokens, numbers: Partial<LeaseSizing> = {}): OpenBucket {
  const learned: string[] = []
  const sizing = {
    isSlow: false,
    renewUs: 30_000,
    soon: 3,
    lowMark: () => 2,
    lastsUs: (units: number) => units * 10_000,
    usedIn: (us: number) => Math.floor(us / 10_000),
    wanted: (inHand: number) => 20 - inHand,
    observe () {},
    observeLapse: (size: number, left: number) => { learned.push(`${left} of ${size} lapsed`) },
    grow: (size: number) => { learned.push(`half of ${size} used`) },
    use: (units: number) => { if (units > 0) learned.push(`${units} used`) },
    countIdle: (units: number) => { learned.push(`${units} idle`); return true },
    countDemand: () => true,
    ...numbers
  }
  const counters = { leasedChecks: 0, storeChecks: 0, lapsedUnits: 0, renewals: 0 }
  const bucket = new BucketLeases(new BucketRow(limit, NO_HOLDER), 'a', { gridUs: GRID_US }, sizing as unknown as LeaseSizing, counters)
  new BucketTable().add({ word0: 0, word1: 0, word2: 0 }, bucket)
  return {
    bucket,
    counters,
    learned,
    lease (units: number, sentAtUs = 0, nowUs = sentAtUs) {
      const lease = { units, lifeUs: GRID_US, slotEndUs: 1000 + sentAtUs, apart: units }
      bucket.receive({
        limit, partition: 'a', charged: 0, granted: true, remaining: 500, resetUs: 500_000, delayUs: 0, retryUs: 0, blockedUs: 0, lease
      }, STORE_US + sentAtUs, sentAtUs, nowUs)
    },
    reports: (nowUs: number) => bucket.createRequest(false, nowUs).reports,
    spend (units: number, nowUs: number): number {
      const leaseId = bucket.spend(units, nowUs)
      if (leaseId === null) throw new Error('not in hand')
      return leaseId
    }
  }
}

export const report = (slotEndUs: number, spent: number, returned = 0): LeaseReport => ({ slotEndUs, spent, returned })
