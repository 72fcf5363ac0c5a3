/** @import { Tally } from './load.js' */

/**
 * What each process answered, a line for each, and their sum.
 *
 * @param {readonly Tally[]} tallies
 */
export function formatTallies (tallies) {
  /** @param {'granted' | 'refused' | 'others'} field */
  const sum = (field) => tallies.reduce((total, tally) => total + tally[field], 0)
  const rows = [
    ['process', 'granted', 'refused', 'others'],
    ...tallies.map(({ port, granted, refused, others }) => [`:${port}`, `${granted}`, `${refused}`, `${others}`]),
    ['total', `${sum('granted')}`, `${sum('refused')}`, `${sum('others')}`]
  ]
  const widths = rows[0].map((_, column) => Math.max(...rows.map((cells) => cells[column].length)))
  return rows
    .map(([first, ...numbers]) => [first.padEnd(widths[0]), ...numbers.map((cell, column) => cell.padStart(widths[column + 1]))].join('   '))
    .join('\n')
}
