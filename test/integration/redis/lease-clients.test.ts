// A client that may send a call twice: a report that Redis executes twice would free units twice, so nothing is leased.
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { Redis as Valkey } from 'iovalkey'
import t, { type Test } from 'tap'
import Fastify from 'fastify'
import { limiterClientOptions, rateLimitPlugin, type RateLimitOptions, type RedisTarget } from '../../../lib/index.js'
import { maySendTwice } from '../../../lib/stores/redis/client-behavior.js'
import { shareRedis, startRedis } from '../../fixtures/redis-server.js'
import { startProxy } from '../../fixtures/tcp-proxy.js'
import { until } from '../../fixtures/until.js'

const WARNING = 'FST_SLUICE_WARN_CLIENT_RESENDS'
const server = await startRedis(t)
const { url } = await shareRedis()
const reader = new Redis(url)
t.teardown(() => { reader.disconnect() })

const CLIENTS = [
  ['ioredis 6', (port: number, options: object) => new Redis({ host: '127.0.0.1', port, ...options })],
  ['ioredis 5', (port: number, options: object) => new Redis5({ host: '127.0.0.1', port, ...options })],
  ['iovalkey', (port: number, options: object) => new Valkey({ host: '127.0.0.1', port, ...options })]
] as const

const OPTIONS: ReadonlyArray<readonly [why: string, options: object, isSentTwice: boolean]> = [
  ['without options', {}, true],
  ['with a few retries', { maxRetriesPerRequest: 1 }, true],
  ['with retries without end', { maxRetriesPerRequest: null }, true],
  ['without retries', { maxRetriesPerRequest: 0 }, false],
  ['that does not resend', { autoResendUnfulfilledCommands: false }, false],
  ['with our options', limiterClientOptions(), false]
]

/** How often Redis executes a call whose connection breaks before the reply. */
async function countExecutions (t: Test, create: (port: number) => Redis, key: string): Promise<number> {
  const proxy = await startProxy(t, server.port)
  const client = create(proxy.port)
  t.equal(maySendTwice(client), key.endsWith('true'))
  client.on('error', () => {})
  t.teardown(() => { client.disconnect() })
  if (client.status !== 'ready') await once(client, 'ready')
  // Longer than what the proxy lets pass of a reply.
  await client.set(key, 1000)
  proxy.faults.resetNextReply = true
  const closed = once(client, 'close')
  // A client that does not resend may never answer it.
  client.incr(key).catch(() => {})
  await closed
  if (client.status !== 'ready') await once(client, 'ready')
  // The call that is sent again is before this one.
  return Number(await client.get(key)) - 1000
}

for (const [name, create] of CLIENTS) {
  for (const [why, options, isSentTwice] of OPTIONS) {
    t.test(`${name}, a client ${why}, sends a call ${isSentTwice ? 'twice' : 'once'}`, async (t) => {
      const key = `${name} ${why} ${isSentTwice}`
      t.equal(await countExecutions(t, (port) => create(port, options) as unknown as Redis, key), isSentTwice ? 2 : 1)
    })
  }
}

let apps = 0

/** An application, the codes of the warnings of its start, and whether a value in Redis shows that leases were asked for. */
async function start (t: Test, redis: RedisTarget, options: RateLimitOptions = { leases: true }) {
  const keyPrefix = `clients-${apps++}:`
  const codes: string[] = []
  const record = (warning: Error & { code?: string }) => { codes.push(warning.code ?? warning.name) }
  process.on('warning', record)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { max: 20_000, timeWindow: '10 minutes', redis, keyPrefix, deadline: 5000, failureMode: 'closed', ...options })
  app.get('/', async () => 'hello')
  app.get('/own', { config: { rateLimit: { max: 500, timeWindow: '1 minute' } } }, async () => 'own')
  await app.ready()
  await until('Redis decides', 10_000, async () => (await app.inject('/')).statusCode === 200)
  process.off('warning', record)
  return {
    app,
    codes,
    async sendMany () { await Promise.all(Array.from({ length: 50 }, () => app.inject('/'))) },
    async hasLeases () {
      const values = await Promise.all((await reader.keys(`${keyPrefix}*`)).map((key) => reader.getBuffer(key)))
      t.ok(values.length > 0)
      return values.some((value) => value?.toString('latin1').startsWith('U') && value[8] === 0x80)
    }
  }
}

t.test('a client that may send twice: no leases, one warning, and explain says so', async (t) => {
  const client = new Redis(url)
  t.teardown(() => { client.disconnect() })
  await once(client, 'ready')
  const { app, codes, sendMany, hasLeases } = await start(t, client)
  t.strictSame(codes, [WARNING])
  for (let round = 0; round < 5; round++) await sendMany()
  t.notOk(await hasLeases())
  t.strictSame(app.rateLimit.explain('GET /own').policies[0].leases, [{ limit: 'default', isLeased: false, reason: 'client-resends' }])
  t.notMatch((await app.rateLimit.health()).limits.join(), 'leased')
  t.notMatch((await app.inject('/metrics')).body, 'rate_limit_lease_checks_total{')
})

t.test('nothing warns where nothing asks for leases', async (t) => {
  const client = new Redis(url)
  t.teardown(() => { client.disconnect() })
  await once(client, 'ready')
  const { app, codes } = await start(t, client, {})
  t.strictSame(codes, [])
  t.equal(app.rateLimit.explain('GET /').policies[0].leases[0].reason, 'off')
})

for (const [why, create] of [
  ['a client of ours', () => url],
  ['a client with our options', () => new Redis(url, limiterClientOptions())]
] as const) {
  t.test(`${why}: leases, shown by explain, health and metrics, and given back by a reload that ends them`, async (t) => {
    const redis = create()
    if (typeof redis !== 'string') t.teardown(() => { redis.disconnect() })
    if (typeof redis !== 'string') await once(redis, 'ready')
    const { app, codes, sendMany, hasLeases } = await start(t, redis)
    t.strictSame(codes, [])
    t.strictSame(app.rateLimit.explain('GET /').policies[0].leases, [{ limit: 'default', isLeased: true, reason: null }])
    t.match((await app.rateLimit.health()).limits, ['default: 20000 per 10 minutes, leased', 'route:GET /own: 500 per 1 minute, leased'])
    const leasedChecks = async () => Number(/^rate_limit_lease_checks_total\{source="leased"\} (\d+)$/m.exec((await app.inject('/metrics')).body)?.[1])
    t.equal(await leasedChecks(), 0)
    await until('checks of leases', 20_000, async () => {
      await sendMany()
      return await leasedChecks() > 0
    })
    t.ok(await hasLeases())
    await app.rateLimit.reload({ leases: false })
    const before = await leasedChecks()
    await sendMany()
    t.equal(await leasedChecks(), before)
    t.equal(app.rateLimit.explain('GET /').policies[0].leases[0].reason, 'off')
    t.strictSame((await app.rateLimit.health()).limits, ['default: 20000 per 10 minutes', 'route:GET /own: 500 per 1 minute'])
    await app.rateLimit.reload({ leases: { hold: '1s' } })
    t.ok(app.rateLimit.explain('GET /').policies[0].leases[0].isLeased)
    await t.rejects(app.rateLimit.reload({ leases: { hold: '1 hour' } }), { code: 'FST_SLUICE_BAD_OPTION', message: /leases\.hold/ })
  })
}
