// The scripts return the errors of their writes as data, so ioredis never asked `reconnectOnError` of the application's
// client. It stayed on the demoted primary, and limits were counted locally without end.
import { once } from 'node:events'
import t from 'tap'
import { Redis } from 'ioredis'
import Fastify from 'fastify'
import { limiterClientOptions, rateLimitPlugin } from '../../lib/index.js'
import { startRedis } from '../fixtures/redis-server.js'
import { until } from '../fixtures/until.js'

const server = await startRedis(t)
const other = await startRedis(t)
const admin = new Redis(server.url)
t.teardown(() => admin.disconnect())

const isReadonly = (error: Error) => error.message.startsWith('READONLY')

const rows: ReadonlyArray<readonly [why: string, reconnectOnError: ((error: Error) => boolean) | null, isReconnected: boolean]> = [
  ['a client that asks for it reconnects', isReadonly, true],
  ['a client with the options for it reconnects', limiterClientOptions().reconnectOnError, true],
  ['a client that does not ask for it stays', null, false],
  ['a client whose function refuses stays', () => false, false],
  ['a client whose function throws stays', () => { throw new Error('no') }, false]
]

for (const [why, reconnectOnError, isReconnected] of rows) {
  t.test(why, async (t) => {
    await admin.replicaof('NO', 'ONE')
    await admin.flushall()
    const client = new Redis(server.url, { reconnectOnError, retryStrategy: () => 50 })
    const app = Fastify()
    let closed = 0
    client.on('close', () => { closed++ })
    t.teardown(async () => {
      await app.close()
      client.disconnect()
    })
    await once(client, 'ready')
    await app.register(rateLimitPlugin, { max: 1000, timeWindow: '1 hour', redis: client, deadline: 2000, breaker: { failures: 1000 } })
    app.get('/', async () => 'hello')
    await app.inject('/')
    t.equal(closed, 0, 'no reconnection while the server is the primary')

    await admin.replicaof('127.0.0.1', other.port)
    await until('READONLY', 20_000, async () => {
      await app.inject('/')
      return (await app.rateLimit.health()).lastError?.startsWith('READONLY') === true
    })
    if (!isReconnected) t.equal((await app.rateLimit.health()).lastError, 'READONLY: use limiterClientOptions() for the client')
    if (isReconnected) await until('a reconnection', 20_000, async () => closed > 0)
    await admin.replicaof('NO', 'ONE')
    await until('counting in Redis', 20_000, async () => {
      await app.inject('/')
      return await admin.dbsize() > 0
    })
    t.equal(closed > 0, isReconnected)
  })
}
