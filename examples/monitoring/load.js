import { setTimeout as delay } from 'node:timers/promises'

/** @import { Caller } from './callers.js' */

const TICK_MS = 50
// A service that hangs must not have requests heaped up before it.
const MOST_AT_ONCE = 200
const PATIENCE_MS = 5000

/** @param {Caller} caller @param {number} seconds */
function perSecondAt ({ perSecond, wave, periodS }, seconds) {
  return perSecond * (1 + wave * Math.sin(2 * Math.PI * seconds / periodS))
}

/** @param {string} origin @param {Caller} caller @param {number} turn */
async function call (origin, { address, key, method = 'GET', paths }, turn) {
  const headers = { 'x-forwarded-for': address, ...(key === undefined ? {} : { 'x-api-key': key }) }
  const response = await fetch(`${origin}${paths[turn % paths.length]}`, { method, headers, signal: AbortSignal.timeout(PATIENCE_MS) })
  await response.arrayBuffer() // a body left unread would keep its connection busy
}

/**
 * Play these callers until told to stop. A service that does not answer is asked again, for it may be starting.
 *
 * @param {string} origin
 * @param {readonly Caller[]} callers
 * @param {AbortSignal} over
 */
export async function sendLoad (origin, callers, over) {
  const startedMs = performance.now()
  const players = callers.map((caller) => ({ caller, due: 0, sent: 0 }))
  let atOnce = 0
  let lastMs = startedMs
  while (!over.aborted) {
    const nowMs = performance.now()
    for (const player of players) {
      // Of a pause, such as that of a laptop that slept, no more than a second is made up for.
      player.due += perSecondAt(player.caller, (nowMs - startedMs) / 1000) * Math.min(1, (nowMs - lastMs) / 1000)
      while (player.due >= 1) {
        player.due--
        if (atOnce >= MOST_AT_ONCE) continue
        atOnce++
        call(origin, player.caller, player.sent++).catch(() => {}).finally(() => { atOnce-- })
      }
    }
    lastMs = nowMs
    await delay(TICK_MS)
  }
}
