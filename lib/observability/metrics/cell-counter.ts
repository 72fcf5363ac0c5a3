import { Counter } from 'prom-client'

/** A count on its way to a metric. To count is one addition; prom-client's own `inc` costs as much as a whole decision. */
export interface Cell {
  count: number
}

interface LabelledCell<Label extends string> extends Cell {
  readonly labels: Record<Label, string>
}

/** A counter of prom-client that takes over what its cells have counted whenever it is read. */
export class CellCounter<Label extends string> extends Counter<Label> {
  // Only declared: the constructor of Counter calls reset() before a field of this class could be there.
  declare private readonly cells: Array<LabelledCell<Label>> | undefined

  constructor (name: string, help: string, labelNames: readonly Label[]) {
    super({ name, help, labelNames, registers: [], collect: () => { this.#publish() } })
    this.cells = []
  }

  /** A cell of its own for these labels: ask once for each. Its series shows from the first count on. */
  createCell (labels: Record<Label, string>): Cell {
    const createCell = { labels, count: 0 }
    this.cells?.push(createCell)
    return createCell
  }

  /** The same, shown as 0 before: the rate of a series that begins with 1 misses the first count. */
  createCellFromZero (labels: Record<Label, string>): Cell {
    this.inc(labels, 0)
    return this.createCell(labels)
  }

  override reset (): void {
    super.reset()
    for (const createCell of this.cells ?? []) createCell.count = 0
  }

  #publish (): void {
    for (const createCell of this.cells ?? []) {
      if (createCell.count === 0) continue
      this.inc(createCell.labels, createCell.count)
      createCell.count = 0
    }
  }
}
