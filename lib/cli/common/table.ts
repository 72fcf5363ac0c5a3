import { escapeUnprintable } from '../../common/printable.js'

/** A cell has one line or more. */
export type Cell = string | readonly string[]

const GAP = '  '

/** Align rows in columns, without trailing spaces and with control characters escaped. The first row has the headings. */
export function alignRows (rows: ReadonlyArray<readonly Cell[]>): string[] {
  const lines = rows.flatMap(toLines)
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => measureWidth(line[column]))))
  return lines.map((line) => line.map((text, column) => text + ' '.repeat(widths[column] - measureWidth(text))).join(GAP).trimEnd())
}

function toLines (row: readonly Cell[]): string[][] {
  const cells = row.map((cell) => [cell].flat().map(escapeUnprintable))
  const height = Math.max(...cells.map(({ length }) => length))
  return Array.from({ length: height }, (_, line) => cells.map((cell) => cell[line] ?? ''))
}

function measureWidth (text: string): number {
  return [...text].length
}
