import { issueKey } from './keys.js'

/** @import { CustomerTable } from './database.js' */

/**
 * One row of the table: who calls, and what server.js promises him.
 *
 * @typedef {object} Caller
 * @property {string} who
 * @property {string} promise The limit in words.
 * @property {ReadonlyArray<string | null>} keys What each request shows, one after the other.
 * @property {number} max Requests that may pass in a minute; `Infinity` where there is no limit.
 * @property {number} [usedBefore] Requests of earlier rows on the same budget. Default 0.
 * @property {number} lookUps How often the database is to be asked.
 */

/** @param {CustomerTable} table @returns {Caller[]} */
export function callersOf (table) {
  const ada = { id: 'ada', plan: 'free' }
  const bob = { id: 'bob', plan: 'pro' }
  const revoked = table.addKey({ id: 'eve', plan: 'pro' })
  table.revoke(revoked)
  const bobs = table.addKey(bob)
  const forged = () => issueKey().replace(/.{16}$/, 'x'.repeat(16))
  return [
    { who: 'without a key', promise: '5 a minute, by address', keys: Array(8).fill(null), max: 5, lookUps: 0 },
    { who: 'with made-up keys', promise: 'that budget, no look-up', keys: Array.from({ length: 8 }, forged), max: 5, usedBefore: 5, lookUps: 0 },
    { who: 'with a revoked key', promise: 'that budget, one look-up', keys: Array(8).fill(revoked), max: 5, usedBefore: 5, lookUps: 1 },
    { who: 'ada, plan free', promise: '10 a minute', keys: Array(15).fill(table.addKey(ada)), max: 10, lookUps: 1 },
    { who: 'bob, plan pro', promise: '40 a minute', keys: Array(45).fill(bobs), max: 40, lookUps: 1 },
    { who: 'bob, another key', promise: 'the same budget', keys: Array(8).fill(table.addKey(bob)), max: 40, usedBefore: 40, lookUps: 1 },
    { who: 'cron, plan internal', promise: 'no limit', keys: Array(60).fill(table.addKey({ id: 'cron', plan: 'internal' })), max: Infinity, lookUps: 1 }
  ]
}

/**
 * @typedef {object} Outcome
 * @property {Caller} caller
 * @property {number} allowed
 * @property {number} refused
 * @property {number} lookUps
 * @property {string[]} broken What was seen that is not promised.
 */

/**
 * Sends one caller's requests.
 *
 * @param {string} url
 * @param {Caller} caller
 * @param {CustomerTable} table
 * @param {number} startedMs When the first request of the whole demo left: budgets refill from there on.
 * @returns {Promise<Outcome>}
 */
export async function send (url, caller, table, startedMs) {
  const { who, keys, max, usedBefore = 0 } = caller
  const before = table.lookUps
  const counts = { allowed: 0, refused: 0 }
  /** @type {string[]} */
  const broken = []
  for (const key of keys) {
    const response = await fetch(url, { headers: key === null ? {} : { 'x-api-key': key } })
    await response.arrayBuffer() // a body left unread would keep its connection busy
    if (response.status === 200) counts.allowed++
    else if (response.status === 429) counts.refused++
    else broken.push(`${who}: status ${response.status}`)
  }
  const least = Math.min(keys.length, max - usedBefore)
  // A token bucket gains `max` more in each minute.
  const most = Math.min(keys.length, least + Math.floor((performance.now() - startedMs) * max / 60_000))
  if (counts.allowed < least || counts.allowed > most) broken.push(`${who}: ${counts.allowed} allowed, promised ${least} to ${most}`)
  const lookUps = table.lookUps - before
  if (lookUps !== caller.lookUps) broken.push(`${who}: ${lookUps} look-ups, promised ${caller.lookUps}`)
  return { caller, ...counts, lookUps, broken }
}
