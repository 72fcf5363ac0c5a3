import type { LeaseGrant } from '../../algorithms/lease.js'
import { LEFT, type AHEAD, type BucketRow } from './bucket-row.js'

/** A lease ends this much earlier here than in the store, microseconds: the clocks run at almost the same speed. */
const MARGIN_US = 1000

let lastId = 0

/** Units that this process has leased from one bucket. */
export class Lease {
  /** Standings name the lease by it: 32 bits. */
  id = 0
  size = 0
  /** End of the slot, or of the window, by the clock of the store. Reports name it. */
  slotEndUs = 0
  /** When the last unit may be spent, by the clock of the process. */
  endUs = 0
  /** Units of requests whose other limits are being decided by the store. They are neither left nor spent. */
  reserved = 0
  /** Spent units that were reported to the store. Each unit is reported once, whether or not the report arrives. */
  reported = 0
  #sentAtUs = 0
  #atUs = 0
  /** Unspent units, while they are in no row. */
  #left = 0
  #row: BucketRow | null = null
  #column: typeof LEFT | typeof AHEAD = LEFT

  /**
   * Begin a lease, in place of one that is settled. `sentAtUs`: before the call was sent. So the store's time of the lease is
   * later, and so is its end there. `atUs`: the time of the store.
   */
  begin ({ units, lifeUs, slotEndUs }: LeaseGrant, sentAtUs: number, atUs: number): this {
    lastId = (lastId + 1) | 0
    this.id = lastId
    this.reserved = 0
    this.reported = 0
    this.size = units
    this.#left = units
    this.slotEndUs = slotEndUs
    this.endUs = sentAtUs + lifeUs - MARGIN_US
    this.#sentAtUs = sentAtUs
    this.#atUs = atUs
    return this
  }

  /** Unspent units. */
  get left (): number { return this.#row === null ? this.#left : this.#row.getUnits(this.#column) }

  set left (units: number) {
    if (this.#row === null) this.#left = units
    else this.#row.setUnits(this.#column, units)
  }

  /** Keep the unspent units in a row, as the current lease of its bucket or as the next one. `null`: in none. */
  keepIn (row: BucketRow | null, column: typeof LEFT | typeof AHEAD = LEFT): void {
    const { left } = this
    this.left = 0
    this.#row = row
    this.#column = column
    this.left = left
  }

  /** Spent units that were not reported yet. */
  get unreported (): number {
    return this.size - this.left - this.reserved - this.reported
  }

  /** Units that an answer counts as leased: one that the store decided before it granted this lease counts none. */
  unspentIn (atUs: number, sentAtUs: number): number {
    const isKnown = this.#atUs < atUs || (this.#atUs === atUs && this.#sentAtUs <= sentAtUs)
    return isKnown ? this.left + this.reserved : 0
  }

  /** Whether all units were spent and reported. */
  get isSettled (): boolean {
    return this.reported === this.size
  }

  /** Units that may still be spent. */
  leftAt (nowUs: number): number {
    return nowUs > this.endUs ? 0 : this.left
  }

  /** Give units back that were spent. Returns how many: none after the end of the lease, and none that were reported. */
  refund (units: number, nowUs: number): number {
    const returned = nowUs > this.endUs ? 0 : Math.min(units, this.unreported)
    this.left += returned
    return returned
  }
}
