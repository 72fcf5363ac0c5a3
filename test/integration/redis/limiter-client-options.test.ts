// `limiterClientOptions` keeps what the guide says of it: a client of the application fails as fast as ours.
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { Redis as Valkey } from 'iovalkey'
import t from 'tap'
import Fastify from 'fastify'
import { limiterClientOptions, rateLimitPlugin, type RedisTarget } from '../../../lib/index.js'
import { startRedis } from '../../fixtures/redis-server.js'
import { startProxy } from '../../fixtures/tcp-proxy.js'
import { until } from '../../fixtures/until.js'

const server = await startRedis(t)

for (const [name, create] of [
  ['ioredis 6', (port: number) => new Redis({ port, ...limiterClientOptions() })],
  ['ioredis 5', (port: number) => new Redis5({ port, ...limiterClientOptions() })],
  ['iovalkey', (port: number) => new Valkey({ port, ...limiterClientOptions() })]
] as const) {
  t.test(`${name}: a connection that became silent is replaced`, async (t) => {
    const proxy = await startProxy(t, server.port)
    const client = create(proxy.port)
    client.on('error', () => {})
    const app = Fastify()
    t.teardown(async () => {
      await app.close()
      client.disconnect()
    })
    await once(client, 'ready')
    await app.register(rateLimitPlugin, {
      max: 1000, redis: client as unknown as RedisTarget, deadline: 200, failureMode: 'closed', breaker: { failures: 1000 }, keyPrefix: `${name[2]}${name.at(-1)}:`
    })
    app.get('/', async () => 'hello')
    await until('Redis decides', 20_000, async () => (await app.inject('/')).statusCode === 200)
    proxy.abandon()
    t.equal((await app.inject('/')).statusCode, 503)
    await until('Redis decides again', 20_000, async () => (await app.inject('/')).statusCode === 200)
  })
}

t.test('a reply may be pending for twice the deadline', async (t) => {
  t.equal(limiterClientOptions().socketTimeout, 500)
  t.equal(limiterClientOptions({ deadline: 1000 }).socketTimeout, 2000)
})
