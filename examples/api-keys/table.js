import { formatColumns } from '../shared/columns.js'

/** @import { Outcome } from './callers.js' */

/**
 * What became of the requests, a line for each caller.
 *
 * @param {readonly Outcome[]} outcomes
 */
export function formatTable (outcomes) {
  return formatColumns([
    ['caller', 'limit', 'sent', 'allowed', 'refused', 'look-ups'],
    ...outcomes.map(({ caller, allowed, refused, lookUps }) => [caller.who, caller.promise, ...[caller.keys.length, allowed, refused, lookUps].map(String)])
  ])
}
