import { once } from 'node:events'
import { counted } from '../shared/counted.js'

/** @import { FastifyInstance } from 'fastify' */
/** @import { EventEmitter } from 'node:events' */
/** @typedef {EventEmitter & { send: (text: string) => void, readonly readyState: number }} Socket */

const OPEN = 1
const ANSWERED_WITHIN_MS = 20_000

/** Addresses that no real client has: RFC 5737. */
const addresses = { ada: '203.0.113.9', bob: '203.0.113.10' }

/**
 * Opens a connection. It goes within the process, which @fastify/websocket offers for tests, so that clients can have
 * addresses of their own; a handshake takes the same way as from afar.
 *
 * @param {FastifyInstance} app
 * @param {keyof addresses} client
 * @returns {Promise<Socket | string>} Or how it was refused.
 */
async function open (app, client) {
  try {
    const socket = await app.injectWS('/chat', { socket: /** @type {import('node:net').Socket} */ ({ remoteAddress: addresses[client] }) })
    return /** @type {Socket} */ (/** @type {unknown} */ (socket))
  } catch (error) {
    return /** @type {Error} */ (error).message.replace('Unexpected server response: ', '')
  }
}

/**
 * Sends one message and waits for what becomes of it.
 *
 * @param {Socket} socket
 */
async function say (socket) {
  if (socket.readyState !== OPEN) return 'not sent'
  const waiting = new AbortController()
  const signal = AbortSignal.any([waiting.signal, AbortSignal.timeout(ANSWERED_WITHIN_MS)])
  const answer = Promise.race([
    once(socket, 'message', { signal }).then(([data]) => 'said' in JSON.parse(String(data)) ? 'said' : 'refused'),
    once(socket, 'close', { signal }).then(([code]) => `closed with ${code}`)
  ])
  socket.send('hello')
  try {
    return await answer
  } finally {
    waiting.abort()
  }
}

/**
 * One row of the table: what is done, and what became of it.
 *
 * @typedef {object} Row
 * @property {string} what
 * @property {string} promise In words, such as `'3 said'`.
 * @property {string} seen
 */

/** @param {FastifyInstance} app @returns {Promise<Row[]>} */
export async function chat (app) {
  /** @type {Row[]} */
  const rows = []
  /** @type {(what: string, promise: string, times: number, act: () => Promise<string>) => Promise<void>} */
  const row = async (what, promise, times, act) => {
    const words = []
    for (let i = 0; i < times; i++) words.push(await act())
    rows.push({ what, promise, seen: counted(words) })
  }
  /** @type {Socket[]} */
  const sockets = []
  const connect = async (/** @type {keyof addresses} */ client) => {
    const socket = await open(app, client)
    if (typeof socket === 'string') return `refused with ${socket}`
    sockets.push(socket)
    return 'open'
  }
  await row('ada opens connections', '3 open, 2 refused with 429', 5, () => connect('ada'))
  await row('bob opens one', '1 open', 1, () => connect('bob'))
  const [first, second, third, bobs] = sockets
  await row('ada, first connection', '3 said', 3, () => say(first))
  await row('ada, second connection', '2 said, 1 refused', 3, () => say(second))
  await row('ada goes on', '1 refused, 1 closed with 1008', 2, () => say(second))
  await row('ada, third connection', '1 closed with 1008', 1, () => say(third))
  await row('bob', '5 said', 5, () => say(bobs))
  // Within the process a connection has no other end that would hang up: it would be waited for.
  for (const socket of app.websocketServer.clients) socket.terminate()
  return rows
}
