import { until } from '../shared/until.js'
import { usageOf } from './model.js'
import { mostUnits, unitsOf } from './server.js'

/** @import { FastifyInstance } from 'fastify' */
/** @import { Ask } from './model.js' */

/**
 * One row of the table: which user sends what, and what must happen.
 *
 * @typedef {object} Row
 * @property {string} user
 * @property {string} what
 * @property {Ask} ask
 * @property {number} [times] At once. Default 1.
 * @property {'leaves' | 'fails'} [ending] The client leaves after the first words, or the model fails. Default: the whole answer.
 * @property {string} [refusedBy] The limit that refuses. Default: no limit does.
 */

/** @param {number} count */
const words = (count) => Array(count).fill('word').join(' ')

/** @type {readonly Row[]} */
export const rows = [
  { user: 'ada', what: 'a short answer', ask: { prompt: words(20), maxTokens: 3000 } },
  { user: 'ada', what: 'thinks longer', ask: { prompt: `think ${words(100)}`, maxTokens: 500 } },
  { user: 'ada', what: 'five at once', ask: { prompt: words(100), maxTokens: 3000 }, times: 5, refusedBy: 'hourly' },
  { user: 'ada', what: 'leaves early', ask: { prompt: words(700), maxTokens: 3000 }, ending: 'leaves' },
  { user: 'ada', what: 'the model fails', ask: { prompt: `fail ${words(20)}`, maxTokens: 100 }, ending: 'fails' },
  { user: 'bob', what: 'thinks longer', ask: { prompt: `think ${words(100)}`, maxTokens: 3000 } },
  { user: 'cyd', what: 'thinks longer', ask: { prompt: `think ${words(100)}`, maxTokens: 3000 } },
  { user: 'dan', what: 'thinks longer', ask: { prompt: `think ${words(100)}`, maxTokens: 3000 } },
  { user: 'eve', what: 'a short answer', ask: { prompt: words(20), maxTokens: 3000 }, refusedBy: 'together' }
]

/** The units that are left in a user's hourly budget. @param {FastifyInstance} app @param {string} user */
async function leftOf (app, user) {
  const standings = await app.rateLimit.peek(`user:${user}`)
  return standings.find(({ name }) => name === 'hourly')?.remaining ?? NaN
}

/**
 * Send a request, and read the answer: to its end, or its beginning.
 *
 * @param {string} origin
 * @param {Row} row
 */
async function send (origin, { user, ask, ending }) {
  const leaving = new AbortController()
  const response = await fetch(`${origin}/complete`, {
    method: 'POST', headers: { 'content-type': 'application/json', 'x-user': user }, body: JSON.stringify(ask), signal: leaving.signal
  })
  if (response.status === 429) {
    const problem = /** @type {{ 'violated-policies': string[] }} */ (await response.json())
    return { status: 429, refusedBy: problem['violated-policies'].join() }
  }
  if (ending === 'leaves') {
    await response.body?.getReader().read()
    leaving.abort()
  } else {
    await response.arrayBuffer().catch((error) => { if (ending !== 'fails') throw error })
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
 * Send the requests of a row, all at once, and see what is left.
 *
 * @param {FastifyInstance} app
 * @param {string} origin
 * @param {Row} row
 * @returns {Promise<Outcome>}
 */
export async function sendRow (app, origin, row) {
  const { user, what, ask, times = 1, ending, refusedBy = null } = row
  const reserved = mostUnits(ask)
  const before = await leftOf(app, user)
  const answers = await Promise.all(Array.from({ length: times }, () => send(origin, row)))
  const allowed = answers.filter(({ status }) => status === 200).length
  const refused = answers.filter(({ status }) => status === 429).length
  const { input, cached } = usageOf(ask)
  const least = unitsOf({ input, cached, output: 1 })
  // The server notices later that a client has left. The reservation may return before it is settled.
  if (ending === 'leaves') await until('the settlement', 10_000, async () => await leftOf(app, user) > before - reserved && await leftOf(app, user) <= before - least)
  const left = await leftOf(app, user)
  const used = before - left
  /** @type {string[]} */
  const broken = []
  const promise = (/** @type {boolean} */ isKept, /** @type {string} */ text) => { if (!isKept) broken.push(`${user}, ${what}: ${text}`) }
  promise(allowed + refused === times, `answers ${answers.map(({ status }) => status).join()}`)
  promise(answers.every((answer) => answer.refusedBy === null || answer.refusedBy === refusedBy), `refused by ${answers.map((answer) => answer.refusedBy).join()}`)
  promise(refusedBy === null ? refused === 0 : refused > 0 || times > 1, `${refused} refused`)
  const whole = Math.ceil(unitsOf(usageOf(ask)))
  if (ending === undefined) promise(used === allowed * whole, `${used} used, promised ${allowed * whole}`)
  else promise(used >= least && used <= whole, `${used} used, promised ${least} to ${whole}`)
  return { row, reserved, allowed, refused, used, left, broken }
}
