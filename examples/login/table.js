import { formatColumns } from '../shared/columns.js'
import { counted } from '../shared/counted.js'

/** @import { Outcome } from './attempts.js' */

/**
 * What became of the logins, a line for each row.
 *
 * @param {readonly Outcome[]} outcomes
 */
export function formatTable (outcomes) {
  return formatColumns([
    ['login', 'sent', 'answers', 'passwords checked', 'retry after'],
    ...outcomes.map(({ attempt, answers, retryAfter, checks }) => [
      attempt.what, String(answers.length), counted(answers), String(checks), retryAfter === null ? '' : `${retryAfter} s`
    ])
  ])
}
