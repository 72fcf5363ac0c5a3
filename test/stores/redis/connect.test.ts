// Which clients of ioredis are made of a target, with which options. None of them opens a socket.
import t from 'tap'
import type { Redis } from 'ioredis'
import type { Authenticator } from '../../../lib/stores/redis/authenticator.js'
import { DEFAULTS, open, optionsOf } from '../../fixtures/captured-clients.js'
import { FakeConnection, FakeStream, stopTime } from '../../fixtures/fake-connection.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

const SERVER = { host: 'redis.example', port: 6380 }
const NODES = [{ host: 'one.example', port: 7000 }, { host: 'two.example', port: 7001 }]

for (const [why, target, expected] of [
  ['a URL', 'redis://app:secret@redis.example:6380/3?connectionName=limits',
    { ...DEFAULTS, ...SERVER, db: 3, username: 'app', password: 'secret', connectionName: 'limits', tls: undefined }],
  ['a URL with TLS', 'rediss://redis.example', { ...DEFAULTS, host: 'redis.example', tls: true }],
  ['a URL in capital letters', 'REDISS://redis.example', { ...DEFAULTS, host: 'redis.example', tls: true }],
  ['a path', '/run/REDISS:1.sock', { ...DEFAULTS, path: '/run/REDISS:1.sock', tls: undefined }],
  ['a URL and its query', { url: 'redis://redis.example', query: { connectTimeout: 900, db: 2 } },
    { ...DEFAULTS, host: 'redis.example', connectTimeout: 900, db: 2 }],
  ['options', { host: 'redis.example', connectTimeout: 900 },
    { ...DEFAULTS, host: 'redis.example', connectTimeout: 900, sentinelMaxConnections: 10, failoverDetector: false }],
  ['options that name no method', { host: 'redis.example', callBuffer: 'a text' }, { ...DEFAULTS, host: 'redis.example' }]
] as const) {
  t.test(`a client is made of ${why}`, async (t) => {
    const { retryStrategy, ...options } = optionsOf(t, target)
    t.match(options, expected)
    const delayMs = retryStrategy(1)
    t.ok(delayMs >= 50 && delayMs <= 100, `${delayMs} ms`)
  })
}

t.test('a client of the application is used as it is', async (t) => {
  const client = Object.assign(new FakeConnection(), { callBuffer: async () => {} })
  const { pool, clients } = open(t, client, { connections: 2 })
  await pool.ping()
  await pool.close()
  t.strictSame([client.calls, clients], [[['ping']], []])
})

t.test('a deadline prolongs connecting, and counts from one attempt to connect to the next', async (t) => {
  const clock = new ManualClock()
  const { connectTimeout, retryStrategy } = optionsOf(t, 'redis://redis.example', { deadlineMs: 1000, clock })
  t.equal(connectTimeout, 3000)
  clock.advance(300_000)
  t.ok(retryStrategy(4) < 510, 'an attempt that took 300 ms')
})

t.test('as many connections are opened as are asked for, each with its credentials', async (t) => {
  const attached: unknown[] = []
  const authenticator = { attach: (client: Redis) => { attached.push(client) } } as Authenticator
  const { clients } = open(t, 'redis://redis.example', { connections: 3, authenticator })
  t.equal(clients.length, 3)
  t.strictSame(attached, clients)
})

for (const [why, target, isLazy] of [
  ['a URL', 'redis://redis.example?lazyConnect=true', false],
  ['the query of a URL', { url: 'redis://redis.example', query: { lazyConnect: true } }, true],
  ['a query without it', { url: 'redis://redis.example', query: {} }, false],
  ['options', { host: 'redis.example', lazyConnect: true }, true],
  ['options without it', { host: 'redis.example', lazyConnect: false }, false],
  ['the options of a Cluster', { cluster: NODES, clusterOptions: { lazyConnect: true } }, true],
  ['the options of nodes', { cluster: NODES, lazyConnect: true, redisOptions: { lazyConnect: true } }, false],
  ['options of a Cluster without it', { cluster: NODES, clusterOptions: {} }, false]
] as const) {
  t.test(`with ${why}, a client connects ${isLazy ? 'with its first call' : 'at once'}`, async (t) => {
    const { pool, clients } = open(t, target)
    t.equal(clients.length, isLazy ? 0 : 1)
    t.notOk(pool.isReady)
    t.ok(clients.length > 0)
  })
}

t.test('the search for a primary is short', async (t) => {
  const target = { name: 'primary', sentinels: NODES }
  const { sentinelRetryStrategy, ...options } = optionsOf(t, target)
  t.match(options, { ...DEFAULTS, failoverDetector: true, sentinelMaxConnections: 3, sentinelCommandTimeout: 300, name: 'primary' })
  const delayMs = sentinelRetryStrategy(1)
  t.ok(delayMs >= 50 && delayMs <= 100, `${delayMs} ms`)
  t.equal(optionsOf(t, target, { deadlineMs: 1000 }).sentinelCommandTimeout, 2000)
  t.equal(optionsOf(t, { ...target, sentinelMaxConnections: 7 }).sentinelMaxConnections, 7)
})

for (const [deadlineMs, replacedMs] of [[50, 400], [1000, 2668]] as const) {
  t.test(`with a deadline of ${deadlineMs} ms, a silent connection is replaced after ${replacedMs} ms`, async (t) => {
    const pass = stopTime(t)
    const { clients: [client] } = open(t, 'redis://redis.example', { deadlineMs })
    let isReplaced = false
    client.disconnect = () => { isReplaced = true }
    Object.assign(client, { stream: new FakeStream() })
    Reflect.get(client, 'commandQueue').push({})
    client.emit('connect')
    await pass(replacedMs - 1)
    t.notOk(isReplaced)
    await pass(1)
    t.ok(isReplaced)
  })
}
