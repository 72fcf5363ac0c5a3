import type { ReadableMetric } from './otel.js'

/** A count that a metric reads later. Counting is one addition; prom-client's `inc` costs as much as a whole decision. */
export interface Cell {
  count: number
}

interface LabelledCell<Label extends string> extends Cell {
  readonly labels: Record<Label, string>
  /** Whether its series exists before the first count. */
  isShown: boolean
}

/** A counter for a registry. */
export class CellCounter<Label extends string> implements ReadableMetric {
  readonly name: string
  readonly help: string
  readonly type = 'counter'
  /** How prom-client aggregates the workers of a cluster. */
  readonly aggregator = 'sum'
  readonly #hasLabels: boolean
  readonly #cells: Array<LabelledCell<Label>> = []

  constructor (name: string, help: string, labelNames: readonly Label[]) {
    this.name = name
    this.help = help
    this.#hasLabels = labelNames.length > 0
  }

  /** Creates a cell. Call it once for each set of labels. Its series appears with the first count. */
  createCell (labels: Record<Label, string>): Cell {
    return this.#add({ labels, count: 0, isShown: false })
  }

  /** The same, with a series that starts at 0: the rate of a series that starts at 1 misses the first count. */
  createCellFromZero (labels: Record<Label, string>): Cell {
    return this.#add({ labels, count: 0, isShown: true })
  }

  async get () {
    const { name, help, type, aggregator } = this
    const shown = this.#cells.filter(({ count, isShown }) => isShown || count > 0)
    return { name, help, type, aggregator, values: shown.map(({ labels, count }) => ({ labels: { ...labels }, value: count })) }
  }

  /** As prom-client does: series with labels disappear until they are counted again. */
  reset (): void {
    for (const cell of this.#cells) {
      cell.count = 0
      cell.isShown = !this.#hasLabels
    }
  }

  #add (cell: LabelledCell<Label>): Cell {
    this.#cells.push(cell)
    return cell
  }
}
