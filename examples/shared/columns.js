/**
 * A table as text.
 *
 * @param {ReadonlyArray<readonly string[]>} rows Of equal length; the first is the head.
 */
export function formatColumns (rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((cells) => cells[column].length)))
  return rows
    .map((cells) => cells.map((cell, column) => cell.padEnd(widths[column])).join('   ').trimEnd())
    .join('\n')
}
