import type { Rules } from './lease-rules.js'
import { addReport, type Holder, type LeaseModelOptions, type Message } from './lease-state.js'
import type { Report } from './lease-store.js'

/** What a node does with its leases and messages by itself. */
export class LeaseHolders {
  readonly #rules: Rules
  /** The furthest step of the clock into the past, ticks, 0 or less. */
  readonly #backStep: number

  constructor ({ clockSteps = [] }: LeaseModelOptions, rules: Rules) {
    this.#rules = rules
    this.#backStep = Math.min(0, ...clockSteps)
  }

  /** A tick passes. */
  age (holder: Holder): void {
    for (const lease of holder.leases) {
      lease.slotIn = this.#older(lease.slotIn)
      lease.endIn = this.#older(lease.endIn)
    }
    holder.message = this.#ageMessage(holder.message)
    holder.late = this.#ageMessage(holder.late)
    this.tidy(holder)
  }

  /** Take what was spent out of the leases, and what is left of the lease at `returnedAt`. */
  report (holder: Holder, returnedAt: number): Report[] {
    const reports: Report[] = []
    holder.leases.forEach((lease, at) => {
      const spent = this.#rules.report(lease)
      const returned = at === returnedAt ? this.#rules.giveBack(lease) : 0
      if (spent + returned > 0 && this.#isOpen(lease)) addReport(reports, { slotIn: lease.slotIn, spent, returned })
    })
    this.tidy(holder)
    return reports
  }

  /** Leave out what cannot matter any more, and sort. */
  tidy (holder: Holder): void {
    holder.leases = holder.leases.filter((lease) => {
      if (!this.#rules.isAlive(lease)) {
        lease.left = lease.away = lease.due = 0
      }
      if (!this.#isOpen(lease)) lease.unreported = 0
      return lease.left + lease.unreported + lease.due + lease.away > 0
    })
    holder.leases.sort((a, b) => a.endIn - b.endIn || a.left - b.left || a.unreported - b.unreported || a.due - b.due || a.away - b.away)
  }

  #ageMessage (message: Message | null): Message | null {
    if (message === null) return null
    const reports = message.reports.map((report) => ({ ...report, slotIn: report.slotIn - 1 })).filter((report) => this.#isOpen(report))
    if (message.kind === 'request') return message.units === 0 && reports.length === 0 ? null : { ...message, reports }
    const slotIn = this.#older(message.slotIn)
    const endIn = this.#rules.replyAges ? this.#older(message.endIn) : message.endIn
    return this.#rules.isAlive({ endIn }) ? { ...message, slotIn, endIn } : null
  }

  /** A tick later. Ends that are further in the past than this are equal. */
  #older (ticks: number): number {
    return Math.max(ticks - 1, Math.min(-2, this.#backStep))
  }

  /** Whether a report can still matter: without steps of the clock, not after its slot. */
  #isOpen ({ slotIn }: { slotIn: number }): boolean {
    return slotIn > this.#backStep
  }
}
