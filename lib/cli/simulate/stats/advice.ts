import type { LimitTally } from './limit-tally.js'
import type { Tally } from './tally.js'

/** What a limit must allow so that at most a share of its clients is ever refused. */
export interface Advice {
  /** The share of clients that may be refused, 0 to 1. */
  readonly share: number
  /** The option `max`, without `burst`. Enough with every algorithm. */
  readonly max: number
  /** The option `burst` that is enough with the present `max`; `null` if the limit is no token bucket, or refuses everything. */
  readonly burst: number | null
}

/** The highest demands of the clients of a limit. */
export interface Peaks {
  /** Clients in the sample. */
  readonly clients: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly highest: number
  /** Points of the distribution, by share of clients: 0, 0.025, ... 1. */
  readonly curve: readonly number[]
}

const CURVE_STEPS = 40

/** The demands of the clients of a limit, in order. */
export class DemandDistribution {
  readonly #peaks: Float64Array
  readonly #bursts: Float64Array
  readonly #tally: LimitTally

  constructor (tally: LimitTally, { clients, table }: Pick<Tally, 'clients' | 'table'>) {
    const rows: number[] = []
    for (const client of clients.values()) {
      const row = table.findRow(client, tally.index)
      if (row !== null) rows.push(row)
    }
    this.#tally = tally
    this.#peaks = Float64Array.from(rows, (row) => table.getPeak(row)).sort()
    this.#bursts = Float64Array.from(rows, (row) => table.getBurst(row)).sort()
  }

  peaks (): Peaks | null {
    const peaks = this.#peaks
    if (peaks.length === 0) return null
    const at = (share: number) => peaks[Math.min(peaks.length - 1, Math.floor(peaks.length * share))]
    return {
      clients: peaks.length,
      p50: at(0.5),
      p90: at(0.9),
      p99: at(0.99),
      p999: at(0.999),
      highest: at(1),
      curve: Array.from({ length: CURVE_STEPS + 1 }, (_, step) => at(step / CURVE_STEPS))
    }
  }

  /** `share`: of clients that may be refused, 0 to 1. */
  advise (share: number): Advice | null {
    const { length } = this.#peaks
    if (length === 0) return null
    const index = length - 1 - Math.min(length - 1, Math.floor(length * share))
    const { algorithm, max } = this.#tally.limit
    // Rounded up, but not for the last bits of a sum.
    const burst = Math.max(1, Math.ceil(this.#bursts[index] - 1e-6))
    return { share, max: Math.max(1, Math.ceil(this.#peaks[index])), burst: algorithm === 'token-bucket' && max > 0 ? burst : null }
  }
}
