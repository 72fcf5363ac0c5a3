import { formatColumns } from '../shared/columns.js'

/** @import { Outcome } from './callers.js' */

/**
 * What became of the requests, a line for each caller.
 *
 * @param {readonly Outcome[]} outcomes
 */
export function formatTable (outcomes) {
  return formatColumns([
    ['caller', 'limit', 'sent', 'allowed', 'refused', 'GET /account'],
    ...outcomes.map(({ caller, allowed, refused, account }) => [caller.who, caller.promise, ...[caller.requests, allowed, refused, account].map(String)])
  ])
}
