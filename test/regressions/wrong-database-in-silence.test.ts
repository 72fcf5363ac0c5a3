// ioredis goes on in database 0 if SELECT fails: two applications shared their budgets there, and health said "ok".
import t from 'tap'
import { Redis } from 'ioredis'
import Fastify from 'fastify'
import { rateLimitPlugin } from '../../lib/index.js'
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
