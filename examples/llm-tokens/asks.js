import { until } from '../shared/until.js'
import { estimateTokens, tokensOf } from './model.js'
import { mostTokens } from './server.js'

/** @import { FastifyInstance } from 'fastify' */
/** @import { Ask } from './model.js' */

/**
 * One row of the table: who asks what, and what is to become of it.
 *
 * @typedef {object} Row
 * @property {string} user
 * @property {string} what
 * @property {Ask} ask
 * @property {number} [times] At once. Default 1.
 * @property {boolean} [leaves] After the first words. Default false.
 * @property {string} [refusedBy] The limit that refuses what is refused. Default: none is.
 */

/** @param {number} count */
const words = (count) => Array(count).fill('word').join(' ')

/** @type {readonly Row[]} */
export const rows = [
  { user: 'ada', what: 'a short answer', ask: { prompt: words(20), maxTokens: 3000 } },
  { user: 'ada', what: 'thinks longer', ask: { prompt: `think ${words(20)}`, maxTokens: 500 } },
  { user: 'ada', what: 'five at once', ask: { prompt: words(100), maxTokens: 3000 }, times: 5, refusedBy: 'hourly' },
  { user: 'ada', what: 'leaves early', ask: { prompt: words(700), maxTokens: 3000 }, leaves: true },
  { user: 'bob', what: 'thinks longer', ask: { prompt: `think ${words(20)}`, maxTokens: 3000 } },
  { user: 'cyd', what: 'thinks longer', ask: { prompt: `think ${words(20)}`, maxTokens: 3000 } },
  { user: 'dan', what: 'thinks longer', ask: { prompt: `think ${words(20)}`, maxTokens: 3000 } },
  { user: 'eve', what: 'a short answer', ask: { prompt: words(20), maxTokens: 3000 }, refusedBy: 'together' }
]

/** What is left of a user's hourly budget. @param {FastifyInstance} app @param {string} user */
async function leftOf (app, user) {
  const standings = await app.rateLimit.peek(`user:${user}`)
  return standings.find(({ name }) => name === 'hourly')?.remaining ?? NaN
}

/**
 * Asks, and reads the answer: to its end, or the beginning of it.
 *
 * @param {string} origin
 * @param {Row} row
 */
async function send (origin, { user, ask, leaves = false }) {
  const leaving = new AbortController()
  const response = await fetch(`${origin}/complete`, {
    method: 'POST', headers: { 'content-type': 'application/json', 'x-user': user }, body: JSON.stringify(ask), signal: leaving.signal
  })
  if (response.status === 429) {
    const problem = /** @type {{ 'violated-policies': string[] }} */ (await response.json())
    return { status: 429, refusedBy: problem['violated-policies'].join() }
  }
  if (leaves) {
    await response.body?.getReader().read()
    leaving.abort()
  } else {
    await response.arrayBuffer()
  }
  return { status: response.status, refusedBy: null }
}

/**
 * @typedef {object} Outcome
 * @property {Row} row
 * @property {number} reserved By each.
 * @property {number} allowed
 * @property {number} refused
 * @property {number} used By all of the row.
 * @property {number} left
 * @property {string[]} broken What was seen that is not promised.
 */

/**
 * Sends a row's requests, all at once, and looks what is left.
 *
 * @param {FastifyInstance} app
 * @param {string} origin
 * @param {Row} row
 * @returns {Promise<Outcome>}
 */
export async function sendRow (app, origin, row) {
  const { user, what, ask, times = 1, leaves = false, refusedBy = null } = row
  const reserved = mostTokens(ask)
  const before = await leftOf(app, user)
  const answers = await Promise.all(Array.from({ length: times }, () => send(origin, row)))
  const allowed = answers.filter(({ status }) => status === 200).length
  const refused = answers.filter(({ status }) => status === 429).length
  // Nobody tells a client that has left.
  if (leaves) await until('the bill', 10_000, async () => await leftOf(app, user) > before - reserved)
  const left = await leftOf(app, user)
  const used = before - left
  /** @type {string[]} */
  const broken = []
  const promise = (/** @type {boolean} */ isKept, /** @type {string} */ text) => { if (!isKept) broken.push(`${user}, ${what}: ${text}`) }
  promise(allowed + refused === times, `answers ${answers.map(({ status }) => status).join()}`)
  promise(answers.every((answer) => answer.refusedBy === null || answer.refusedBy === refusedBy), `refused by ${answers.map((answer) => answer.refusedBy).join()}`)
  promise(refusedBy === null ? refused === 0 : refused > 0 || times > 1, `${refused} refused`)
  if (leaves) promise(used > estimateTokens(ask.prompt) && used <= tokensOf(ask), `${used} used, promised more than the prompt and no more than all`)
  else promise(used === allowed * tokensOf(ask), `${used} used, promised ${allowed * tokensOf(ask)}`)
  return { row, reserved, allowed, refused, used, left, broken }
}
