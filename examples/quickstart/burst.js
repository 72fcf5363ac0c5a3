import { setTimeout as delay } from 'node:timers/promises'

/**
 * One row of the table: what to send, and the limits that server.js promises for it.
 *
 * @typedef {object} Burst
 * @property {'GET' | 'POST'} method
 * @property {string} path
 * @property {string} promise The limits in words.
 * @property {number} requests How many to send, one after the other.
 * @property {ReadonlyArray<{ max: number, windowMs: number }>} limits
 * @property {number} [cost] Units per request. Default 1.
 * @property {number} [usedBefore] Units that earlier rows took from the same budget. Default 0.
 */

/** @type {readonly Burst[]} */
const bursts = [
  { method: 'GET', path: '/', promise: '20 a minute', requests: 12, limits: [{ max: 20, windowMs: 60_000 }] },
  { method: 'POST', path: '/login', promise: '5 in 10 seconds', requests: 8, limits: [{ max: 5, windowMs: 10_000 }] },
  { method: 'GET', path: '/report', promise: '30 units a minute, 10 each', requests: 5, limits: [{ max: 30, windowMs: 60_000 }], cost: 10 },
  { method: 'GET', path: '/search', promise: '5 a second and 100 an hour', requests: 8, limits: [{ max: 5, windowMs: 1000 }, { max: 100, windowMs: 3_600_000 }] },
  { method: 'GET', path: '/no/such/page', promise: 'shares the budget of GET /', requests: 12, limits: [{ max: 20, windowMs: 60_000 }], usedBefore: 12 }
]

/**
 * @typedef {object} Refusal
 * @property {number} status
 * @property {Headers} headers
 * @property {Record<string, unknown>} problem
 *
 * @typedef {object} Outcome
 * @property {Burst} burst
 * @property {Map<number, number>} statuses How often each status came.
 * @property {number} allowed
 * @property {Refusal | null} refusal The last one.
 * @property {string[]} broken What was seen that the limits do not promise.
 */

/**
 * How many of a burst's requests may pass when all were sent within `elapsedMs`.
 *
 * @param {Burst} burst
 * @param {number} elapsedMs
 */
function mostAllowed ({ requests, limits, cost = 1, usedBefore = 0 }, elapsedMs) {
  // A token bucket holds `max` units and gains `max` more in each window.
  const rooms = limits.map(({ max, windowMs }) => max - usedBefore + elapsedMs * max / windowMs)
  return Math.min(requests, ...rooms.map((units) => Math.floor(units / cost)))
}

/** @param {Response} response @returns {Promise<Refusal>} */
async function readRefusal (response) {
  const problem = /** @type {Record<string, unknown>} */ (await response.json())
  return { status: response.status, headers: response.headers, problem }
}

/**
 * Sends one burst.
 *
 * @param {string} origin
 * @param {Burst} burst
 * @param {number} startedMs When the first request of the whole demo left: budgets can refill from there on.
 * @returns {Promise<Outcome>}
 */
async function send (origin, burst, startedMs) {
  /** @type {Outcome} */
  const outcome = { burst, statuses: new Map(), allowed: 0, refusal: null, broken: [] }
  for (let sent = 0; sent < burst.requests; sent++) {
    const response = await fetch(origin + burst.path, { method: burst.method })
    outcome.statuses.set(response.status, (outcome.statuses.get(response.status) ?? 0) + 1)
    if (response.status === 429) {
      outcome.refusal = await readRefusal(response)
      if (!(Number(response.headers.get('retry-after')) >= 1)) outcome.broken.push('a refusal without a Retry-After')
    } else {
      outcome.allowed++
      if (response.headers.get('x-ratelimit-limit') === null) outcome.broken.push('a response that was not counted')
      await response.arrayBuffer() // a body left unread would keep its connection busy
    }
  }
  const least = mostAllowed(burst, 0)
  const most = mostAllowed(burst, performance.now() - startedMs)
  if (outcome.allowed < least || outcome.allowed > most) {
    outcome.broken.push(`${outcome.allowed} allowed where the limit promises ${least === most ? least : `${least} to ${most}`}`)
  }
  return outcome
}

/**
 * Sends all bursts, one after the other.
 *
 * @param {string} origin Such as `http://127.0.0.1:3000`.
 */
export async function sendBursts (origin) {
  await (await fetch(`${origin}/health`)).arrayBuffer() // unlimited: opens the connection
  const startedMs = performance.now()
  const outcomes = []
  for (const burst of bursts) outcomes.push(await send(origin, burst, startedMs))
  return outcomes
}

/**
 * Waits as long as a refusal says, and tries again.
 *
 * @param {string} origin
 * @param {Outcome} outcome
 */
export async function retryWhenTold (origin, { burst, refusal }) {
  const waitedSeconds = Number(refusal?.headers.get('retry-after') ?? 0)
  await delay(waitedSeconds * 1000)
  const response = await fetch(origin + burst.path, { method: burst.method })
  await response.arrayBuffer()
  return { waitedSeconds, status: response.status }
}
