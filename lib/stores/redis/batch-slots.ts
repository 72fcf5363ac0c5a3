import type { Charge } from '../store.js'
import type { BatchReport, HeldSlots } from './held-slots.js'
import { writeSlotReport } from './wire-format.js'

/** The slots that the checks of one batch ask for. A partition has one report in it, however many checks ask. */
export class BatchSlots {
  readonly #held: HeldSlots
  readonly #reports = new Map<string, BatchReport>()
  /** The report of each check that asks, in order. */
  readonly #asks: BatchReport[] = []
  #settled = 0

  constructor (held: HeldSlots) {
    this.#held = held
  }

  /** Write the report of a charge. `key`: of its slots. A charge without cost only looks. Returns the next position. */
  write (target: Buffer, { limit, partition, cost }: Charge, key: string, at: number): number {
    const { instance } = this.#held
    if (cost === 0) return writeSlotReport(target, NO_REPORT, instance, at)
    let report = this.#reports.get(key)
    if (report === undefined) {
      report = this.#held.open(limit, partition)
      this.#reports.set(key, report)
    }
    this.#held.ask(report, cost)
    this.#asks.push(report)
    return writeSlotReport(target, report, instance, at)
  }

  /** Settle the next check that asked. `charged`: the slots that Redis counts. `isHeld`: whether the request goes on with them. */
  settle (charged: number, isHeld: boolean): void {
    this.#held.settle(this.#asks[this.#settled++], charged, isHeld)
  }

  /** The call is over. */
  close (isAnswered: boolean): void {
    for (const report of this.#reports.values()) this.#held.close(report, isAnswered)
    this.#reports.clear()
  }
}

const NO_REPORT = { sequence: 0, slots: 0 }
