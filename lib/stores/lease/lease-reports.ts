import type { LeaseReport } from '../../algorithms/lease.js'

/** What the store must learn about past leases of one bucket. Leases of two slots can be alive at a time. */
export class LeaseReports {
  #earlier = { slotEndUs: 0, spent: 0, returned: 0 }
  #later = { slotEndUs: 0, spent: 0, returned: 0 }

  get isEmpty (): boolean {
    return this.#earlier.slotEndUs === 0 && this.#later.slotEndUs === 0
  }

  add (slotEndUs: number, spent: number, returned: number): void {
    if (spent === 0 && returned === 0) return
    if (slotEndUs > this.#later.slotEndUs) {
      // The units of a third slot have begun to drain by themselves.
      const third = this.#earlier
      this.#earlier = this.#later
      this.#later = third
      clear(third, slotEndUs)
    } else if (slotEndUs < this.#later.slotEndUs && slotEndUs > this.#earlier.slotEndUs) {
      clear(this.#earlier, slotEndUs)
    }
    const report = slotEndUs === this.#later.slotEndUs ? this.#later : this.#earlier
    if (slotEndUs !== report.slotEndUs) return
    report.spent += spent
    report.returned += returned
  }

  /** Remove and return the reports. They are not sent again if the call fails: counted twice, units of others would drain early. */
  remove (): readonly [LeaseReport, LeaseReport] {
    const reports = [{ ...this.#earlier }, { ...this.#later }] as const
    // Changed in place: new objects would outlive a garbage collection, as there is one of them per bucket and grid.
    clear(this.#earlier, 0)
    clear(this.#later, 0)
    return reports
  }
}

function clear (report: { slotEndUs: number, spent: number, returned: number }, slotEndUs: number): void {
  report.slotEndUs = slotEndUs
  report.spent = 0
  report.returned = 0
}
