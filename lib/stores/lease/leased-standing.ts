import type { Standing } from '../store.js'

/** Where the units of a charge can be corrected while their lease lives. */
export interface LeaseHolder {
  /** Give back units that were spent for a standing. Returns how many. */
  refund (standing: LeasedStanding, units: number, nowUs: number): number
  /** Spend up to `units` that were used without a check. Returns how many. */
  charge (standing: LeasedStanding, units: number, nowUs: number): number
}

/** A standing whose units were spent from a lease. */
export interface LeasedStanding extends Standing {
  readonly atUs: number
  /** The `id` of the lease. */
  readonly leaseId: number
  readonly holder: LeaseHolder
  /** Time until these units have drained at the earliest, microseconds. For refunds after the end of the lease. */
  readonly drainedUs: number
}

export function isLeasedStanding (standing: Standing): standing is LeasedStanding {
  return 'holder' in standing
}
