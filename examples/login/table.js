import { formatColumns } from '../shared/columns.js'

/** @import { Outcome } from './attempts.js' */

/** Equal answers in a row are told once. @param {readonly string[]} answers */
function counted (answers) {
  /** @type {Array<{ word: string, times: number }>} */
  const runs = []
  for (const word of answers) {
    const last = runs.at(-1)
    if (last?.word === word) last.times++
    else runs.push({ word, times: 1 })
  }
  return runs.map(({ word, times }) => `${times} ${word}`).join(', ')
}

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
