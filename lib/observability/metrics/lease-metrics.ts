import type { LeaseCounters } from '../../stores/lease/lease-counters.js'
import type { ReadableMetric } from './otel.js'

const FIELDS = ['leasedChecks', 'storeChecks', 'lapsedUnits', 'renewals'] as const satisfies ReadonlyArray<keyof LeaseCounters>

/** What the leases of all registrations did. The counts of a registration that closes stay. */
export class LeaseTotals {
  readonly #open = new Set<LeaseCounters>()
  readonly #closed: LeaseCounters = { leasedChecks: 0, storeChecks: 0, lapsedUnits: 0, renewals: 0 }
  /** Without leases there are no series. */
  hasLeases = false

  add (counters: LeaseCounters): void {
    this.hasLeases = true
    this.#open.add(counters)
  }

  close (counters: LeaseCounters): void {
    if (!this.#open.delete(counters)) return
    for (const field of FIELDS) this.#closed[field] += counters[field]
  }

  sum (field: keyof LeaseCounters): number {
    return [this.#closed, ...this.#open].reduce((sum, counters) => sum + counters[field], 0)
  }
}

interface LeaseSeries {
  readonly labels: Readonly<Record<string, string>>
  readonly field: keyof LeaseCounters
}

interface LeaseCounterNames {
  readonly leaseChecks: string
  readonly leaseLapsed: string
  readonly leaseRenewals: string
}

/** The counters of leases, by their names. */
export function createLeaseCounters (names: LeaseCounterNames, totals: LeaseTotals): Array<[name: string, metric: ReadableMetric]> {
  const { leaseChecks, leaseLapsed, leaseRenewals } = names
  return [
    [leaseChecks, createLeaseCounter(leaseChecks, 'Checks of leased limits, by what decided them.', totals, [
      { labels: { source: 'leased' }, field: 'leasedChecks' },
      { labels: { source: 'store' }, field: 'storeChecks' }
    ])],
    [leaseLapsed, createLeaseCounter(leaseLapsed, 'Leased units that were not spent before their lease ended.', totals, [
      { labels: {}, field: 'lapsedUnits' }
    ])],
    [leaseRenewals, createLeaseCounter(leaseRenewals, 'Requests for more units that were sent before those in hand were spent.', totals, [
      { labels: {}, field: 'renewals' }
    ])]
  ]
}

/** A counter for a registry. Its values are read from the leases, so that counting costs a check nothing more. */
function createLeaseCounter (name: string, help: string, totals: LeaseTotals, series: readonly LeaseSeries[]): ReadableMetric {
  const described = { name, help, type: 'counter', aggregator: 'sum' }
  let since = series.map(() => 0)
  return {
    ...described,
    async get () {
      const values = series.map(({ labels, field }, index) => ({ labels: { ...labels }, value: totals.sum(field) - since[index] }))
      return { ...described, values: totals.hasLeases ? values : [] }
    },
    reset () { since = series.map(({ field }) => totals.sum(field)) }
  }
}
