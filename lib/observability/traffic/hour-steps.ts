/** Steps of the last hour; the last of them is not over. */
export const STEPS = 360
export const STEP_MS = 10_000

/** The number of the step of a time, since 1970. */
export function findStep (nowMs: number): number {
  return Math.floor(nowMs / STEP_MS)
}

/** Counts of the last hour: some columns for each step. Counting is one addition to `cells`. */
export class StepCounts {
  readonly cells: Uint32Array
  readonly #columns: number
  readonly #steps: number

  /** `steps`: those of an hour. */
  constructor (columns: number, steps: number) {
    this.#columns = columns
    this.#steps = steps
    this.cells = new Uint32Array(steps * columns)
  }

  /** Forget the steps after `last` until `next`: their cells are those of an hour ago. */
  advance (last: number, next: number): void {
    if (next - last >= this.#steps) {
      this.cells.fill(0)
      return
    }
    for (let step = last + 1; step <= next; step++) {
      const at = (step % this.#steps) * this.#columns
      this.cells.fill(0, at, at + this.#columns)
    }
  }

  /** Add the counts of others, which have the same columns and steps. */
  add ({ cells }: StepCounts): void {
    for (let at = 0; at < cells.length; at++) this.cells[at] += cells[at]
  }

  /** One column in order of time. `last`: the current step. */
  read (column: number, last: number): number[] {
    const counts: number[] = []
    for (let step = last + 1; step <= last + this.#steps; step++) counts.push(this.cells[(step % this.#steps) * this.#columns + column])
    return counts
  }

  /** The sums of the columns. */
  sum (): number[] {
    const sums = new Array<number>(this.#columns).fill(0)
    for (let at = 0; at < this.cells.length; at += this.#columns) {
      for (let column = 0; column < this.#columns; column++) sums[column] += this.cells[at + column]
    }
    return sums
  }
}
