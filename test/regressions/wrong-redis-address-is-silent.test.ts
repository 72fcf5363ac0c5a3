// A wrong port in the options was silent until the first request.
import { setTimeout as sleep } from 'node:timers/promises'
import fastify from 'fastify'
import t from 'tap'
import { Redis } from 'ioredis'
import rateLimitPlugin, { type RateLimitOptions } from '../../lib/index.js'
import { limitedApp } from '../fixtures/app.js'
import { freePort, shareRedis } from '../fixtures/redis-server.js'
import { until } from '../fixtures/until.js'

const host = '127.0.0.1'

const UNREACHABLE = /^rate limit: the store cannot be reached \((ECONNREFUSED|SENTINEL_ECONNREFUSED)\)/

const targets: Readonly<Record<string, (port: number) => RateLimitOptions['redis']>> = {
  'a URL': (port) => `redis://${host}:${port}`,
  Sentinel: (port) => ({ name: 'primary', sentinels: [{ host, port }] }),
  Cluster: (port) => ({ cluster: [{ host, port }] }),
  'a client of the application': (port) => {
    const client = new Redis(port, { retryStrategy: () => 20 })
    client.on('error', () => {})
    t.teardown(() => client.disconnect())
    return client
  }
}

for (const [title, createTarget] of Object.entries(targets)) {
  t.test(`${title}: a warning at the start has the cause, once, and the application starts`, async (t) => {
    const { app, log } = await limitedApp(t, { redis: createTarget(await freePort()), max: 2 })
    await app.ready()
    const isWarned = () => log.some(({ msg }) => UNREACHABLE.test(msg))
    await until('the warning', 20_000, isWarned)
    const { status, lastError } = await app.rateLimit.health()
    t.equal(status, 'degraded')
    t.match(lastError, /ECONNREFUSED/, 'health has it without a request')
    // Time for further attempts.
    await sleep(500)
    t.equal(log.length, 1)
    t.equal((await app.inject('/')).statusCode, 200)
  })
}

t.test('without a logger, the warning at the start is one of the process', async (t) => {
  const warned: string[] = []
  const listen = ({ message }: Error) => { warned.push(message) }
  process.on('warning', listen)
  const app = fastify()
  t.teardown(() => {
    process.off('warning', listen)
    return app.close()
  })
  await app.register(rateLimitPlugin, { redis: `redis://${host}:${await freePort()}` })
  await app.ready()
  await until('the warning', 20_000, () => warned.some((message) => UNREACHABLE.test(message)))
})

t.test('a Redis that can be reached causes no warning', async (t) => {
  const { url } = await shareRedis()
  const { app, log } = await limitedApp(t, { redis: url, max: 2 })
  await until('a healthy store', 20_000, async () => (await app.rateLimit.health()).status === 'ok')
  t.strictSame(log, [])
})
