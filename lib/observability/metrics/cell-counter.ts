import { Counter } from 'prom-client'

/** A count that a metric adds up later. Counting is one addition; prom-client's `inc` costs as much as a whole decision. */
export interface Cell {
  count: number
}

interface LabelledCell<Label extends string> extends Cell {
  readonly labels: Record<Label, string>
}

/** A prom-client counter that adds the counts of its cells whenever it is read. */
export class CellCounter<Label extends string> extends Counter<Label> {
  // `declare`: Counter's constructor calls reset() before fields of this class are initialised.
  declare private readonly cells: Array<LabelledCell<Label>> | undefined

  constructor (name: string, help: string, labelNames: readonly Label[]) {
    super({ name, help, labelNames, registers: [], collect: () => { this.#publish() } })
    this.cells = []
  }

  /** Creates a cell. Call it once for each set of labels. Its series appears with the first count. */
  createCell (labels: Record<Label, string>): Cell {
    const cell = { labels, count: 0 }
    this.cells?.push(cell)
    return cell
  }

  /** The same, with a series that starts at 0: the rate of a series that starts at 1 misses the first count. */
  createCellFromZero (labels: Record<Label, string>): Cell {
    this.inc(labels, 0)
    return this.createCell(labels)
  }

  override reset (): void {
    super.reset()
    for (const cell of this.cells ?? []) cell.count = 0
  }

  #publish (): void {
    for (const cell of this.cells ?? []) {
      if (cell.count === 0) continue
      this.inc(cell.labels, cell.count)
      cell.count = 0
    }
  }
}
