import type { DemandTable } from './demand-table.js'
import type { LimitTally, RequestCount } from './limit-tally.js'

/** What is known of a client. */
export class ClientTally implements RequestCount {
  requests = 0
  refused = 0
  /** The highest demand in a window, as a multiple of what its limit allows. */
  excess = 0
  /** The limit of that demand. */
  limit: LimitTally | null = null
  peak = 0
  readonly #demands: DemandTable
  /** The limit that the client met first, and its demand on it: most clients meet no other one. */
  #firstLimit = -1
  #firstRow = -1
  #otherRows: Map<number, number> | null = null
  #owners = 1

  constructor (demands: DemandTable) {
    this.#demands = demands
  }

  /** The row of the demand on a limit, by its index. */
  findRow (limit: number): number | null {
    return this.#firstLimit === limit ? this.#firstRow : this.#otherRows?.get(limit) ?? null
  }

  findOrAddRow (limit: number): number {
    return this.findRow(limit) ?? this.#addRow(limit)
  }

  /** Count another owner, which calls `release` too. */
  retain (): this {
    this.#owners++
    return this
  }

  /** Free the rows when no owner is left. */
  release (): void {
    if (--this.#owners > 0 || this.#firstLimit === -1) return
    this.#demands.freeRow(this.#firstRow)
    for (const row of this.#otherRows?.values() ?? []) this.#demands.freeRow(row)
  }

  #addRow (limit: number): number {
    const row = this.#demands.createRow()
    if (this.#firstLimit === -1) {
      this.#firstLimit = limit
      this.#firstRow = row
    } else {
      this.#otherRows ??= new Map()
      this.#otherRows.set(limit, row)
    }
    return row
  }
}
