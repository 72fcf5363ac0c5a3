/** What the leases of a registration did since it started. */
export interface LeaseCounters {
  /** Checks that were answered from leases, without a call. */
  leasedChecks: number
  /** Checks of limits that can be leased which the store decided. */
  storeChecks: number
  /** Leased units that were not spent. They count as used until the end of their lease. */
  lapsedUnits: number
  /** Requests for more units that were sent before those in hand were used up. */
  renewals: number
}
