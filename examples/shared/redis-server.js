import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { until } from './until.js'

/** @import { ChildProcess } from 'node:child_process' */
/** @import { AddressInfo } from 'node:net' */

// Whatever becomes of the demo, its servers do not stay: a signal alone would end it without its "exit". A demo that
// listens for the signal itself ends in its own way.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => { if (process.listenerCount(signal) === 0) process.exit(1) })

/** A port that was free a moment ago. */
export async function freePort () {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {AddressInfo} */ (server.address())
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
 * A redis-server process of the demo's own, which keeps no data on disk. It is listening when this resolves.
 *
 * @param {readonly string[]} [args] Such as `['--replicaof', '127.0.0.1 6379']`, or the path of a file first.
 * @param {number} [port] Default: a free one.
 * @returns {Promise<{ port: number, process: ChildProcess, stop: () => Promise<void> }>}
 */
export async function startRedis (args = [], port) {
  const at = port ?? await freePort()
  const server = spawn('redis-server', [...args, '--port', String(at), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { stdio: 'ignore' })
  // Ahead of others: the folder that it writes into goes then too.
  process.prependOnceListener('exit', () => { server.kill('SIGKILL') })
  const failed = once(server, 'exit').then(([code]) => { throw new Error(`redis-server ended with code ${code}`) })
  failed.catch(() => {}) // it ends when it is told to, too
  await Promise.race([until('a redis-server that listens', 10_000, () => isListening(at)), failed])
  return {
    port: at,
    process: server,
    async stop () {
      if (server.exitCode !== null || server.signalCode !== null) return
      const exit = once(server, 'exit')
      server.kill('SIGKILL')
      await exit
    }
  }
}
