import { formatColumns } from '../shared/columns.js'

/** @import { Tally } from './load.js' */

/**
 * What each process answered, a line for each, and their sum.
 *
 * @param {readonly Tally[]} tallies
 */
export function formatTallies (tallies) {
  /** @param {'granted' | 'refused' | 'others'} field */
  const sum = (field) => tallies.reduce((total, tally) => total + tally[field], 0)
  return formatColumns([
    ['process', 'granted', 'refused', 'others'],
    ...tallies.map(({ port, granted, refused, others }) => [`:${port}`, `${granted}`, `${refused}`, `${others}`]),
    ['total', `${sum('granted')}`, `${sum('refused')}`, `${sum('others')}`]
  ])
}
