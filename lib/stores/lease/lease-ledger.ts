import type { Limit } from '../store.js'
import type { Lease } from './lease.js'
import type { LeaseCounters } from './lease-counters.js'
import { LeaseReports } from './lease-reports.js'
import type { LeaseReport } from '../../algorithms/lease.js'
import type { LeaseSizing } from './sizing.js'

/** What became of the leased units of one bucket: for the store, for the size of the next leases, and for the metrics. */
export class LeaseLedger {
  readonly #limit: Limit
  readonly #sizing: LeaseSizing
  readonly #counters: LeaseCounters
  readonly #reports = new LeaseReports()

  constructor (limit: Limit, sizing: LeaseSizing, counters: LeaseCounters) {
    this.#limit = limit
    this.#sizing = sizing
    this.#counters = counters
  }

  /** Whether the store must learn about past leases. */
  get hasReports (): boolean { return !this.#reports.isEmpty }

  removeReports (): readonly [LeaseReport, LeaseReport] { return this.#reports.remove() }

  /** Note the units that were spent since the last report. */
  report (lease: Lease): void {
    const units = lease.unreported
    lease.reported += units
    this.#sizing.use(units)
    // Leased units of a window are used units already.
    if (this.#limit.algorithm === 'token-bucket') this.#reports.add(lease.slotEndUs, units, 0)
  }

  /** A larger lease is worth trying once half of one was used. */
  learn (lease: Lease): void {
    if (lease.left * 2 <= lease.size) this.#sizing.grow(lease.size)
  }

  /** Note that no unit of a lease will be spent any more. `isReturned`: whether those left are given back to the bucket. */
  close (lease: Lease, isReturned: boolean): void {
    this.report(lease)
    if (isReturned) this.#reports.add(lease.slotEndUs, 0, lease.left)
    else this.#counters.lapsedUnits += lease.left
    // Units that return later from a reservation are neither spent nor returned again.
    lease.reported += lease.left
    lease.left = 0
  }
}
