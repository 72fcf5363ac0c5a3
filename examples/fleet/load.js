import { Agent, get } from 'node:http'

/**
 * What one process answered.
 *
 * @typedef {object} Tally
 * @property {number} port
 * @property {number} granted
 * @property {number} refused
 * @property {number} others Answers that were neither: 503 where Redis could not be asked.
 */

/** @param {number} port @param {Agent} agent @returns {Promise<number>} */
function send (port, agent) {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent }, (response) => {
      response.resume().once('end', () => { resolve(response.statusCode ?? 0) })
    }).once('error', reject)
  })
}

/**
 * One client asks all processes at once, without a pause, over so many connections to each.
 *
 * @param {readonly number[]} ports
 * @param {{ connections: number, forMs: number }} load
 * @returns {Promise<{ tallies: Tally[], seconds: number }>}
 */
export async function sendLoad (ports, { connections, forMs }) {
  const agent = new Agent({ keepAlive: true })
  const startedMs = performance.now()
  const tallies = await Promise.all(ports.map(async (port) => {
    const tally = { port, granted: 0, refused: 0, others: 0 }
    const keepSending = async () => {
      while (performance.now() - startedMs < forMs) {
        const status = await send(port, agent)
        if (status === 200) tally.granted++
        else if (status === 429) tally.refused++
        else tally.others++
      }
    }
    await Promise.all(Array.from({ length: connections }, keepSending))
    return tally
  }))
  agent.destroy()
  return { tallies, seconds: (performance.now() - startedMs) / 1000 }
}
