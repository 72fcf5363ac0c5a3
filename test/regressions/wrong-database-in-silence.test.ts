// ioredis goes on in database 0 if SELECT fails: two applications shared their budgets there, and health said "ok".
import { once } from 'node:events'
import t from 'tap'
import { Redis } from 'ioredis'
import Fastify from 'fastify'
import { rateLimitPlugin } from '../../lib/index.js'
import { limitedApp } from '../fixtures/app.js'
import { startRedis } from '../fixtures/redis-server.js'
import { until } from '../fixtures/until.js'

const server = await startRedis(t)
const admin = new Redis(server.url)
t.teardown(() => admin.disconnect())
await admin.call('acl', 'setuser', 'sluice', 'on', '>secret', '~sluice:*', '+evalsha', '+eval', '+get', '+set', '+del', '+pttl', '+time', '+ping', '+info')

const url = `redis://sluice:secret@127.0.0.1:${server.port}`
const rows: ReadonlyArray<readonly [why: string, redis: string, code: string | null]> = [
  ['a database that exists', `${server.url}/3`, null],
  ['a database that does not exist', `${server.url}/17`, 'SELECT'],
  ['a user without +select', `${url}/3`, 'NOPERM'],
  ['a user without +select, in database 0', `${url}/0`, null]
]

for (const [why, redis, code] of rows) {
  t.test(`${why}: nothing is counted in another database`, async (t) => {
    await admin.flushall()
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(rateLimitPlugin, { max: 5, timeWindow: '1 hour', redis, deadline: 200 })
    app.get('/', async () => 'hello')
    await until('the state', 20_000, async () => {
      await app.inject('/')
      const { lastError, pingMs } = await app.rateLimit.health()
      return code === null ? pingMs !== null : lastError === code
    })
    t.equal((await app.rateLimit.health()).status, code === null ? 'ok' : 'degraded')
    for (let sent = 0; sent < 3; sent++) await app.inject('/')
    if (code !== null) t.equal(await admin.dbsize(), 0)
  })
}

const owned: ReadonlyArray<readonly [why: string, redis: string, isReady: boolean, code: string]> = [
  ['a database that does not exist', `${server.url}/17`, false, 'SELECT'],
  ['a user without +select', `${url}/3`, false, 'NOPERM'],
  ['a database that does not exist, and a client that was ready before', `${server.url}/17`, true, 'SELECT'],
  ['a user without +select, and a client that was ready before', `${url}/3`, true, 'NOPERM']
]

for (const [why, address, isReady, code] of owned) {
  t.test(`a client of the application, ${why}: nothing is counted in another database`, async (t) => {
    await admin.flushall()
    const client = new Redis(address)
    client.on('error', () => {})
    if (isReady) await new Promise<void>((resolve) => { client.once('ready', resolve) })
    const { app, log } = await limitedApp(t, { redis: client, max: 5, deadline: 500 })
    t.teardown(() => client.disconnect())
    await until('the state', 20_000, async () => (await app.rateLimit.health()).lastError === code)
    t.match(await app.rateLimit.health(), { status: 'degraded', pingMs: null })
    for (let sent = 0; sent < 3; sent++) t.equal((await app.inject('/')).statusCode, 200)
    t.equal(await admin.dbsize(), 0)
    t.match(log[0]?.msg, `rate limit: the store cannot be reached (${code})`)
    t.equal(await client.ping(), 'PONG', 'its own commands go on')
  })
}

t.test('a client of the application in a database that exists is used at once', async (t) => {
  await admin.flushall()
  const client = new Redis(`${server.url}/3`)
  await once(client, 'ready')
  const { app, log } = await limitedApp(t, { redis: client, max: 5, deadline: 5000 })
  t.teardown(() => client.disconnect())
  await app.inject('/')
  t.ok(await client.dbsize() > 0)
  t.equal(await admin.dbsize(), 0)
  t.strictSame(log, [])
})
