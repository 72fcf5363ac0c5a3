import { setTimeout as delay } from 'node:timers/promises'
import { until } from './until.js'

/** @import { FastifyInstance } from 'fastify' */

const PAUSE_MS = 10
const MOST_MS = 60_000

/**
 * What became of the requests of one phase.
 *
 * @typedef {object} Tally
 * @property {string} phase
 * @property {number} seconds
 * @property {Map<string, number>} granted By client.
 * @property {Map<string, number>} refused By client.
 * @property {number} errors 5xx, and anything else that is neither granted nor refused.
 * @property {number} slowestMs
 */

/**
 * Every client asks every instance, again and again.
 *
 * @param {string} phase
 * @param {readonly string[]} origins
 * @param {readonly string[]} clients
 * @param {(tally: Tally) => boolean} isOver
 * @returns {Promise<Tally>}
 */
async function sendLoad (phase, origins, clients, isOver) {
  const none = clients.map((client) => /** @type {const} */ ([client, 0]))
  /** @type {Tally} */
  const tally = { phase, seconds: 0, granted: new Map(none), refused: new Map(none), errors: 0, slowestMs: 0 }
  const startedMs = performance.now()
  /** @param {string} origin @param {string} client */
  const keepAsking = async (origin, client) => {
    do {
      const sentMs = performance.now()
      const status = await statusOf(origin, client)
      if (status === 200) count(tally.granted, client)
      else if (status === 429) count(tally.refused, client)
      else tally.errors++
      tally.slowestMs = Math.max(tally.slowestMs, performance.now() - sentMs)
      await delay(PAUSE_MS)
    } while (!isOver(tally) && performance.now() - startedMs < MOST_MS)
  }
  await Promise.all(origins.flatMap((origin) => clients.map((client) => keepAsking(origin, client))))
  return { ...tally, seconds: (performance.now() - startedMs) / 1000 }
}

/** @param {Map<string, number>} counts @param {string} client */
function count (counts, client) {
  counts.set(client, (counts.get(client) ?? 0) + 1)
}

/** Whether every client has had more than the limit. @param {Tally} tally */
function hasReachedAll ({ refused }) {
  return [...refused.values()].every((times) => times > 0)
}

/** @param {string} origin @param {string} client */
async function statusOf (origin, client) {
  try {
    const response = await fetch(origin, { headers: { 'x-client': client } })
    await response.arrayBuffer() // a body left unread would keep its connection busy
    return response.status
  } catch {
    return 0
  }
}

/**
 * Waits until Redis decides about every client on every instance, and not the memory of the instance.
 *
 * @param {readonly FastifyInstance[]} apps
 * @param {readonly string[]} clients
 */
async function decidedByRedis (apps, clients) {
  await until('Redis decides', 30_000, async () => {
    for (const { rateLimit } of apps) {
      if ((await rateLimit.health()).breaker !== 'closed') return false
      // Rejects where Redis does not answer.
      for (const client of clients) await rateLimit.peek(`key:${client}`)
    }
    return true
  })
}

/**
 * Loads the instances before a failover, through it, and after it.
 *
 * @param {readonly FastifyInstance[]} apps
 * @param {readonly string[]} clients
 * @param {() => Promise<void>} failOver Resolves once another server has taken over.
 */
export async function loadThrough (apps, clients, failOver) {
  const origins = await Promise.all(apps.map((app) => app.listen({ port: 0, host: '127.0.0.1' })))
  await decidedByRedis(apps, clients)
  const before = await sendLoad('before', origins, clients, hasReachedAll)
  let isOver = false
  const loading = sendLoad('failover', origins, clients, () => isOver)
  try {
    await failOver()
    await decidedByRedis(apps, clients)
  } finally {
    isOver = true
  }
  const during = await loading
  return [before, during, await sendLoad('after', origins, clients, hasReachedAll)]
}
