import type { Limit } from '../../../stores/store.js'

/** Parts of a window that are counted separately. */
const PARTS = 8

/** How much one client asks of one limit, whether or not it is granted. */
export class Demand {
  /**
   * The most units in any window of the limit. It is counted in eighths of the window, so it may include the units of one more
   * eighth: never too low.
   */
  peak = 0
  /** The capacity that a bucket which is refilled at the rate of the limit would have needed to grant everything. */
  burst = 0
  #level = 0
  #levelUs = 0
  /** Units of the last parts of a window, and of the current one; `null` before the second request. */
  #parts: number[] | null = null
  #part = -1
  #sum = 0

  add (units: number, nowUs: number, { max, windowUs }: Limit): void {
    this.#level = Math.max(0, this.#level - (nowUs - this.#levelUs) * max / windowUs) + units
    this.#levelUs = nowUs
    if (this.#level > this.burst) this.burst = this.#level
    this.#advance(Math.floor(nowUs * PARTS / windowUs))
    this.#sum += units
    if (this.#parts !== null) this.#parts[this.#part % (PARTS + 1)] += units
    if (this.#sum > this.peak) this.peak = this.#sum
  }

  #advance (part: number): void {
    const passed = part - this.#part
    if (passed === 0 || this.#part === -1) {
      this.#part = part
      return
    }
    if (this.#parts === null) {
      this.#parts = new Array<number>(PARTS + 1).fill(0)
      this.#parts[this.#part % (PARTS + 1)] = this.#sum
    }
    for (let step = 1; step <= Math.min(passed, PARTS + 1); step++) {
      const index = (this.#part + step) % (PARTS + 1)
      this.#sum -= this.#parts[index]
      this.#parts[index] = 0
    }
    if (passed > PARTS + 1) this.#parts[part % (PARTS + 1)] = 0
    this.#part = part
  }
}
