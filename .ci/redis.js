// The redis-server program that the tests need, and the server that they share.
/* c8 ignore start */ // tap.config.ts runs this, and tap would report it as untested
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { Redis } from 'ioredis'

function isInstalled (program) {
  return spawnSync(program, ['--version']).status === 0
}

function install () {
  // In runlevel 1 Debian's package scripts start no service.
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }, stdio: ['ignore', 'ignore', 'inherit'] }
  execFileSync('apt-get', ['update', '-qq'], options)
  execFileSync('apt-get', ['install', '-qq', '-y', '--no-install-recommends', 'redis-server'], options)
}

/** Install a redis-server program if there is none. Throws where that cannot be done. */
export function requireRedis () {
  if (isInstalled('redis-server')) return
  if (process.getuid?.() === 0 && isInstalled('apt-get')) {
    try {
      install()
    } catch {
      // apt-get has printed what is wrong; the sentence below says what is missing.
    }
  }
  if (isInstalled('redis-server')) return
  throw new Error('The tests need a redis-server program (6.2 or later) on the PATH: install one, for example with `apt-get install redis-server`.')
}

async function freePort () {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** Start one server for all test files. Each takes its own databases: see shareRedis in test/fixtures/redis-server.ts. */
export async function startSharedRedis () {
  const port = await freePort()
  const server = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--databases', '10000'], { stdio: 'ignore' })
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 20, maxRetriesPerRequest: null })
  client.on('error', () => {}) // it is not listening yet
  await client.ping()
  client.disconnect()
  return { port, stop: () => { server.kill('SIGKILL') } }
}
