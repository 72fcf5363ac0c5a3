import { setTimeout as delay } from 'node:timers/promises'
import { limit } from './server.js'
import { signatureOf } from './signature.js'

const MOST_ROUNDS = 20

/**
 * One row of the table: what shops send at once, each.
 *
 * @typedef {object} Burst
 * @property {string} what
 * @property {readonly string[]} shops
 * @property {number} events Of each shop, at once.
 * @property {boolean} [isForged] Default false.
 * @property {number} taken How many are taken at the first attempt, at least.
 */

/** @type {readonly Burst[]} */
export const bursts = [
  { what: 'a few events', shops: ['ant'], events: 4, taken: 4 },
  { what: 'more than it may', shops: ['bee'], events: 12, taken: 12 },
  { what: 'more than can wait', shops: ['cat'], events: 25, taken: limit.burst + limit.throttle.maxQueuedPerClient },
  { what: 'three shops at once', shops: ['dog', 'eel', 'fox'], events: 15, taken: 3 * limit.burst + limit.throttle.maxQueued },
  { what: 'forged ones', shops: ['ant'], events: 10, isForged: true, taken: 0 }
]

/** @param {string} origin @param {string} shop @param {string} secret @param {string} id */
async function post (origin, shop, secret, id) {
  const body = JSON.stringify({ id })
  const response = await fetch(`${origin}/hooks/${shop}`, {
    method: 'POST', headers: { 'content-type': 'application/json', 'x-signature': signatureOf(secret, body) }, body
  })
  const { outcome = null } = /** @type {{ outcome?: string }} */ (await response.json())
  return { id, status: response.status, outcome, retryAfter: Number(response.headers.get('retry-after')) }
}

/**
 * Sends all events at once, and those that are refused again when it is told to.
 *
 * @param {string} origin
 * @param {string} shop
 * @param {string} secret
 * @param {readonly string[]} ids
 */
async function deliver (origin, shop, secret, ids) {
  const first = await Promise.all(ids.map((id) => post(origin, shop, secret, id)))
  const times = (/** @type {(answer: typeof first[number]) => boolean} */ isCounted) => first.filter(isCounted).length
  const tally = {
    atOnce: times(({ outcome }) => outcome === 'allowed'),
    held: times(({ outcome }) => outcome === 'delayed'),
    refused: times(({ status }) => status === 429),
    forged: times(({ status }) => status === 401)
  }
  let refused = first.filter(({ status }) => status === 429)
  for (let round = 1; refused.length > 0 && round < MOST_ROUNDS; round++) {
    await delay(Math.max(...refused.map(({ retryAfter }) => retryAfter)) * 1000)
    const again = await Promise.all(refused.map(({ id }) => post(origin, shop, secret, id)))
    refused = again.filter(({ status }) => status === 429)
  }
  return tally
}

/**
 * @typedef {object} Outcome
 * @property {Burst} burst
 * @property {number} atOnce
 * @property {number} held
 * @property {number} refused At the first attempt.
 * @property {number} handled In the end.
 * @property {number} seconds
 * @property {string[]} broken What was seen that is not promised.
 */

/**
 * Sends a row's events.
 *
 * @param {string} origin
 * @param {Burst} burst
 * @param {ReadonlyMap<string, string>} secrets
 * @param {readonly { shop: string, id: string }[]} handled What the server has handled, row after row.
 * @returns {Promise<Outcome>}
 */
export async function send (origin, burst, secrets, handled) {
  const { what, shops, events, isForged = false } = burst
  const before = handled.length
  const startedMs = performance.now()
  const tallies = await Promise.all(shops.map((shop) => deliver(
    origin, shop, isForged ? 'a guess' : secrets.get(shop) ?? '', Array.from({ length: events }, (_, number) => `${what}, ${number}`)
  )))
  const seconds = (performance.now() - startedMs) / 1000
  const sum = (/** @type {'atOnce' | 'held' | 'refused' | 'forged'} */ field) => tallies.reduce((total, tally) => total + tally[field], 0)
  const outcome = { burst, atOnce: sum('atOnce'), held: sum('held'), refused: sum('refused'), handled: handled.length - before, seconds }
  const sent = shops.length * events
  const due = isForged ? 0 : sent
  const different = new Set(handled.slice(before).map(({ shop, id }) => `${shop}: ${id}`)).size
  const most = Math.floor(shops.length * (limit.burst + seconds * limit.max))
  /** @type {Array<[isKept: boolean, text: string]>} */
  const promises = [
    [outcome.atOnce + outcome.held >= burst.taken, `${outcome.atOnce + outcome.held} taken at the first attempt, promised ${burst.taken} at least`],
    [outcome.atOnce + outcome.held + outcome.refused === due, 'an answer that is none of these'],
    [sum('forged') === sent - due, `${sum('forged')} told from their signatures, promised ${sent - due}`],
    [outcome.handled === due && different === due, `${outcome.handled} handled, ${different} of them different, promised ${due}`],
    [outcome.handled <= most, `${outcome.handled} handled in ${seconds.toFixed(2)} s, promised ${most} at most`]
  ]
  return { ...outcome, broken: promises.filter(([isKept]) => !isKept).map(([, text]) => `${what}: ${text}`) }
}
