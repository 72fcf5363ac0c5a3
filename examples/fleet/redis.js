import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

async function freePort () {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  await once(server, 'close')
  return port
}

/** @param {number} port */
async function isListening (port) {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/**
 * The Redis of REDIS_URL, or a redis-server of our own on a free port that keeps nothing on disk.
 *
 * @returns {Promise<{ url: string, stop: () => void }>}
 */
export async function findRedis () {
  if (process.env.REDIS_URL) return { url: process.env.REDIS_URL, stop () {} }
  const port = await freePort()
  const server = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { stdio: 'ignore' })
  const failed = once(server, 'exit').then(([code]) => { throw new Error(`redis-server ended with code ${code}`) })
  failed.catch(() => {}) // it ends when it is told to, too
  const listening = async () => { while (!await isListening(port)) await delay(50) }
  await Promise.race([listening(), failed]).catch((error) => {
    console.error(`Cannot start redis-server (${error.message}). Install it, or say where one is: REDIS_URL=redis://127.0.0.1:6379`)
    process.exit(1)
  })
  return { url: `redis://127.0.0.1:${port}`, stop: () => { server.kill() } }
}
