/** @import { Outcome } from './callers.js' */

/**
 * What became of the requests, a line for each caller.
 *
 * @param {readonly Outcome[]} outcomes
 */
export function formatTable (outcomes) {
  const rows = [
    ['caller', 'limit', 'sent', 'allowed', 'refused', 'look-ups'],
    ...outcomes.map(({ caller, allowed, refused, lookUps }) => [caller.who, caller.promise, ...[caller.keys.length, allowed, refused, lookUps].map(String)])
  ]
  const widths = rows[0].map((_, column) => Math.max(...rows.map((cells) => cells[column].length)))
  return rows
    .map((cells) => cells.map((cell, column) => cell.padEnd(widths[column])).join('   ').trimEnd())
    .join('\n')
}
