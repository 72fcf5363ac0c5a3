// An instance without Redis tries to connect with a growing delay, and not nine times a second for ever.
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import fastify from 'fastify'
import { rateLimitPlugin, type RateLimitOptions } from '../../../lib/index.js'
import { until } from '../../fixtures/until.js'

const ATTEMPTS = 8
/** The sum of the shortest delays between so many attempts; a timer may end up to one millisecond too early. */
const SHORTEST_MS = 50 + 100 + 200 + 4 * 400 - ATTEMPTS

/** A server that closes every connection, and keeps the times of them. */
async function startClosingServer (t: Test): Promise<{ readonly port: number, readonly timesMs: readonly number[] }> {
  const timesMs: number[] = []
  const server = createServer((socket) => {
    timesMs.push(performance.now())
    socket.on('error', () => {}).destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  return { port: (server.address() as AddressInfo).port, timesMs }
}

const host = '127.0.0.1'
const targets: Readonly<Record<string, (port: number) => RateLimitOptions['redis']>> = {
  'a URL': (port) => `redis://${host}:${port}`,
  options: (port) => ({ host, port }),
  Sentinel: (port) => ({ name: 'primary', sentinels: [{ host, port }] }),
  Cluster: (port) => ({ cluster: [{ host, port }] }),
  'options that switch the retries of ioredis off': (port) => ({ host, port, retryStrategy: null }) as unknown as RateLimitOptions['redis']
}

for (const [title, createTarget] of Object.entries(targets)) {
  t.test(`${title}: the delay between attempts grows`, async (t) => {
    const { port, timesMs } = await startClosingServer(t)
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(rateLimitPlugin, { redis: createTarget(port), max: 1000 })
    app.get('/', async () => 'hello')
    await until(`${ATTEMPTS} attempts`, 30_000, async () => {
      await app.inject('/')
      return timesMs.length >= ATTEMPTS
    })
    t.ok(timesMs[ATTEMPTS - 1] - timesMs[0] >= SHORTEST_MS)
  })
}
