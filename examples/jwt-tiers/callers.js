/** @import { FastifyInstance } from 'fastify' */

/**
 * One row of the table: who calls, and what server.js promises him.
 *
 * @typedef {object} Caller
 * @property {string} who
 * @property {string} promise The limit in words.
 * @property {string | null} token
 * @property {number} requests How many to send, one after the other.
 * @property {number} max Requests that may pass in a minute; `Infinity` where there is no limit.
 * @property {number} [usedBefore] Requests of earlier rows on the same budget. Default 0.
 * @property {200 | 401} account What GET /account answers him.
 */

/** @param {FastifyInstance} app @returns {Caller[]} */
export function callersOf ({ jwt }) {
  const forged = jwt.sign({ sub: 'cron', plan: 'internal' }).replace(/[^.]+$/, 'a-signature-of-his-own')
  const expired = jwt.sign({ sub: 'bob', plan: 'premium', exp: Math.floor(Date.now() / 1000) - 60 })
  const bobs = jwt.sign({ sub: 'bob', plan: 'premium' })
  const bobsOther = jwt.sign({ sub: 'bob', plan: 'premium', aud: 'phone' })
  return [
    { who: 'without a token', promise: '5 a minute, by address', token: null, requests: 8, max: 5, account: 401 },
    { who: 'with a forged token', promise: 'that budget', token: forged, requests: 8, max: 5, usedBefore: 5, account: 401 },
    { who: 'with an expired token', promise: 'that budget', token: expired, requests: 8, max: 5, usedBefore: 5, account: 401 },
    { who: 'ada, no plan', promise: '20 a minute', token: jwt.sign({ sub: 'ada' }), requests: 25, max: 20, account: 200 },
    { who: 'bob, plan premium', promise: '40 a minute', token: bobs, requests: 30, max: 40, account: 200 },
    { who: 'bob, another token', promise: 'the same budget', token: bobsOther, requests: 15, max: 40, usedBefore: 30, account: 200 },
    { who: 'cron, plan internal', promise: 'no limit', token: jwt.sign({ sub: 'cron', plan: 'internal' }), requests: 60, max: Infinity, account: 200 }
  ]
}

/**
 * @typedef {object} Outcome
 * @property {Caller} caller
 * @property {number} allowed
 * @property {number} refused
 * @property {number} account
 * @property {string[]} broken What was seen that is not promised.
 */

/** @param {string} url @param {string | null} token */
async function statusOf (url, token) {
  const response = await fetch(url, { headers: token === null ? {} : { authorization: `Bearer ${token}` } })
  await response.arrayBuffer() // a body left unread would keep its connection busy
  return response.status
}

/**
 * Sends one caller's requests.
 *
 * @param {string} origin
 * @param {Caller} caller
 * @param {number} startedMs When the first request of the whole demo left: budgets refill from there on.
 * @returns {Promise<Outcome>}
 */
export async function send (origin, caller, startedMs) {
  const { who, token, requests, max, usedBefore = 0 } = caller
  const counts = { allowed: 0, refused: 0 }
  /** @type {string[]} */
  const broken = []
  for (let sent = 0; sent < requests; sent++) {
    const status = await statusOf(`${origin}/quotes`, token)
    if (status === 200) counts.allowed++
    else if (status === 429) counts.refused++
    else broken.push(`${who}: status ${status}`)
  }
  const least = Math.min(requests, max - usedBefore)
  // A token bucket gains `max` more in each minute.
  const most = Math.min(requests, least + Math.floor((performance.now() - startedMs) * max / 60_000))
  if (counts.allowed < least || counts.allowed > most) broken.push(`${who}: ${counts.allowed} allowed, promised ${least} to ${most}`)
  const account = await statusOf(`${origin}/account`, token)
  if (account !== caller.account) broken.push(`${who}: GET /account answered ${account}, promised ${caller.account}`)
  return { caller, ...counts, account, broken }
}
