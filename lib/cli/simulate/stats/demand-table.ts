import type { Limit } from '../../../stores/store.js'

/** Parts of a window that are counted separately, besides the current one. */
const PARTS = 8

/** The cells of a row. Two cache lines: most of the time of a replay is spent to wait for memory. */
const PEAK = 0
const BURST = 1
const LEVEL = 2
const LEVEL_US = 3
const SUM = 4
const PART = 5
const FIRST_PART = 6
const CELLS = 16

/** How much clients ask of limits, whether or not it is granted. Each row has one client's demand on one limit. */
export class DemandTable {
  #cells = new Float64Array(CELLS * 1024)
  #size = 0
  readonly #freeRows: number[] = []

  createRow (): number {
    const cell = this.#freeRows.pop() ?? this.#append()
    this.#cells.fill(0, cell, cell + CELLS)
    this.#cells[cell + PART] = -1
    return cell
  }

  freeRow (row: number): void {
    this.#freeRows.push(row)
  }

  /**
   * The most units in any window of the limit. It is counted in eighths of the window, so it may include the units of one more
   * eighth: never too low.
   */
  getPeak (row: number): number {
    return this.#cells[row + PEAK]
  }

  /** The capacity that a bucket which is refilled at the rate of the limit would have needed to grant everything. */
  getBurst (row: number): number {
    return this.#cells[row + BURST]
  }

  /** Returns whether the peak is a higher one now. */
  add (row: number, units: number, nowUs: number, { max, windowUs }: Limit): boolean {
    const cells = this.#cells
    const level = Math.max(0, cells[row + LEVEL] - (nowUs - cells[row + LEVEL_US]) * max / windowUs) + units
    cells[row + LEVEL] = level
    cells[row + LEVEL_US] = nowUs
    if (level > cells[row + BURST]) cells[row + BURST] = level
    const part = Math.floor(nowUs * PARTS / windowUs)
    if (part !== cells[row + PART]) this.#advance(row, part)
    const sum = cells[row + SUM] + units
    cells[row + SUM] = sum
    cells[row + FIRST_PART + part % (PARTS + 1)] += units
    if (sum <= cells[row + PEAK]) return false
    cells[row + PEAK] = sum
    return true
  }

  /** Leave out the parts that are no longer in the window. */
  #advance (row: number, part: number): void {
    const cells = this.#cells
    const last = cells[row + PART]
    cells[row + PART] = part
    for (let step = 1; step <= Math.min(part - last, PARTS + 1); step++) {
      const cell = row + FIRST_PART + (last + step) % (PARTS + 1)
      cells[row + SUM] -= cells[cell]
      cells[cell] = 0
    }
  }

  #append (): number {
    const cell = this.#size
    this.#size += CELLS
    if (this.#size > this.#cells.length) {
      const cells = new Float64Array(this.#cells.length * 2)
      cells.set(this.#cells)
      this.#cells = cells
    }
    return cell
  }
}
