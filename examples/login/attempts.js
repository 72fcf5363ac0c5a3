/** @import { Accounts } from './accounts.js' */

/**
 * One row of the table: what is tried, and the answers that server.js promises.
 *
 * @typedef {object} Attempt
 * @property {string} what
 * @property {string} name
 * @property {string} password
 * @property {readonly string[]} answers In words, one after the other; see `wordOf`.
 */

const WORDS = new Map([[200, 'welcome'], [401, 'wrong'], [503, 'unavailable']])

/** @param {readonly string[]} groups Such as `'5 wrong'`. */
function inTurn (...groups) {
  return groups.flatMap((group) => {
    const [times, word] = group.split(' ')
    return Array.from({ length: Number(times) }, () => word)
  })
}

/** @type {readonly Attempt[]} */
export const beforeReset = [
  { what: 'ada, right password', name: 'ada', password: 'right', answers: inTurn('12 welcome') },
  { what: 'ada, guesses', name: 'ada', password: 'guess', answers: inTurn('5 wrong', '2 refused', '2 blocked') },
  { what: 'ada, another spelling', name: ' ADA ', password: 'guess', answers: inTurn('2 blocked') },
  { what: 'ada, right password', name: 'ada', password: 'right', answers: inTurn('1 blocked') },
  { what: 'bob, right password', name: 'bob', password: 'right', answers: inTurn('3 welcome') }
]

/** After the operator has lifted ada's block. @type {readonly Attempt[]} */
export const afterReset = [
  { what: 'ada, after the reset', name: 'ada', password: 'right', answers: inTurn('3 welcome') }
]

/** Where Redis cannot be reached. @type {readonly Attempt[]} */
export const withoutRedis = [
  { what: 'bob, Redis is away', name: 'bob', password: 'right', answers: inTurn('3 unavailable') }
]

/**
 * What an answer says.
 *
 * @param {Response} response
 */
async function wordOf (response) {
  const body = /** @type {{ type?: string }} */ (await response.json())
  if (response.status !== 429) return WORDS.get(response.status) ?? `status ${response.status}`
  return body.type?.endsWith('#abnormal-usage-detected') ? 'blocked' : 'refused'
}

/**
 * @typedef {object} Outcome
 * @property {Attempt} attempt
 * @property {string[]} answers
 * @property {string | null} retryAfter Of the last answer, in seconds.
 * @property {number} checks How many passwords were checked for it.
 * @property {string[]} broken What was seen that is not promised.
 */

/**
 * Sends a row's requests, one after the other.
 *
 * @param {string} origin
 * @param {Attempt} attempt
 * @param {Accounts} accounts
 * @returns {Promise<Outcome>}
 */
export async function send (origin, attempt, accounts) {
  const { what, name, password } = attempt
  const before = accounts.checks
  /** @type {Outcome} */
  const outcome = { attempt, answers: [], retryAfter: null, checks: 0, broken: [] }
  for (const promised of attempt.answers) {
    const response = await fetch(`${origin}/login`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name, password })
    })
    outcome.retryAfter = response.headers.get('retry-after')
    const answer = await wordOf(response)
    outcome.answers.push(answer)
    if (answer !== promised) outcome.broken.push(`${what}: ${answer}, promised ${promised}`)
  }
  outcome.checks = accounts.checks - before
  const due = attempt.answers.filter((word) => word === 'welcome' || word === 'wrong').length
  if (outcome.checks !== due) outcome.broken.push(`${what}: ${outcome.checks} passwords checked, promised ${due}`)
  return outcome
}
