/** A cell has one line or more. */
export type Cell = string | readonly string[]

const GAP = '  '

/** Rows in aligned columns, the first row for the headings, each line without spaces at its end. */
export function alignRows (rows: ReadonlyArray<readonly Cell[]>): string[] {
  const lines = rows.flatMap(toLines)
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => measureWidth(line[column]))))
  return lines.map((line) => line.map((text, column) => text + ' '.repeat(widths[column] - measureWidth(text))).join(GAP).trimEnd())
}

function toLines (row: readonly Cell[]): string[][] {
  const cells = row.map((cell) => [cell].flat().map(escapeControlChars))
  const height = Math.max(...cells.map(({ length }) => length))
  return Array.from({ length: height }, (_, line) => cells.map((cell) => cell[line] ?? ''))
}

/** What comes from a file must not move the cursor of a terminal. */
function escapeControlChars (text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}

function measureWidth (text: string): number {
  return [...text].length
}
