import type { LeaseReport } from '../../algorithms/lease.js'

const NOTHING: LeaseReport = { slotEndUs: 0, spent: 0, returned: 0 }

/** What the store must learn about past leases of one bucket. Leases of two slots can be alive at a time. */
export class LeaseReports {
  #earlier = NOTHING
  #later = NOTHING

  get isEmpty (): boolean {
    return this.#earlier.slotEndUs === 0 && this.#later.slotEndUs === 0
  }

  add (slotEndUs: number, spent: number, returned: number): void {
    if (spent === 0 && returned === 0) return
    if (slotEndUs === this.#later.slotEndUs) {
      this.#later = { slotEndUs, spent: this.#later.spent + spent, returned: this.#later.returned + returned }
    } else if (slotEndUs === this.#earlier.slotEndUs) {
      this.#earlier = { slotEndUs, spent: this.#earlier.spent + spent, returned: this.#earlier.returned + returned }
    } else if (slotEndUs > this.#later.slotEndUs) {
      // The units of a third slot have begun to drain by themselves.
      this.#earlier = this.#later
      this.#later = { slotEndUs, spent, returned }
    } else if (slotEndUs > this.#earlier.slotEndUs) {
      this.#earlier = { slotEndUs, spent, returned }
    }
  }

  /** Remove and return the reports. They are not sent again if the call fails: counted twice, units of others would drain early. */
  remove (): readonly [LeaseReport, LeaseReport] {
    const reports = [this.#earlier, this.#later] as const
    this.#earlier = NOTHING
    this.#later = NOTHING
    return reports
  }
}
