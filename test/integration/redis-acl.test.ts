import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Redis } from 'ioredis'
import type { RateLimitOptions } from '../../lib/index.js'
import { limitedApp, statuses } from '../fixtures/app.js'
import { startRedis } from '../fixtures/redis-server.js'

/** The rules of docs/redis.md, as an operator would type them: for one server, and what a Cluster needs besides. */
const [forServer, forCluster] = [...readFileSync('docs/redis.md', 'utf8').matchAll(/^ACL (SETUSER .*)$/gm)]
  .map(([, rule]) => rule.split(' '))

const SLOTS = 16384
const MOST_TRIES = 200

/** Everything that the plugin asks of Redis, as a user who may do no more than the documents say. */
async function useEverything (t: Test, redis: RateLimitOptions['redis']): Promise<void> {
  const { app, log } = await limitedApp(t, {
    redis,
    deadline: 5000,
    admin: { page: true, onRequest: async () => {} },
    limits: [
      { name: 'bucket', max: 3, timeWindow: '1 hour' },
      { name: 'sliding', max: 3, timeWindow: '1 hour', algorithm: 'sliding-window' },
      { name: 'fixed', max: 3, timeWindow: '1 hour', algorithm: 'fixed-window' }
    ]
  })
  app.get('/refunded', async (request) => { await request.rateLimit?.refund(1) })

  t.strictSame(await statuses(app, 4), [200, 200, 200, 429], 'limits hold')
  t.equal(await app.rateLimit.reset('ip:127.0.0.1'), 3, 'a reset forgets')
  t.strictSame(await statuses(app, 4, '/refunded'), [200, 200, 200, 200], 'refunds give back')
  t.strictSame((await app.rateLimit.peek('ip:127.0.0.1')).map(({ remaining }) => remaining), [3, 3, 3], 'a peek reads')
  t.match(await app.rateLimit.health(), { status: 'ok', store: 'redis', lastError: null })
  t.match((await app.inject('/admin/rate-limit/page/data')).json().fleet, { isShared: true, problem: null }, 'the page reads')
  t.strictSame(log, [], 'nothing failed')
  const body = { enabled: true, instances: 'all' }
  t.equal((await app.inject({ method: 'PUT', url: '/admin/rate-limit/state', payload: body })).statusCode, 200, 'the switch is written')
}

t.test('a user with the documented rule can do everything, and nothing of it is refused', async (t) => {
  const server = await startRedis(t)
  const operator = new Redis(server.url)
  t.teardown(() => operator.disconnect())
  await operator.call('ACL', ...forServer)
  await useEverything(t, `redis://sluice:secret@127.0.0.1:${server.port}`)
  t.strictSame(await operator.call('ACL', 'LOG'), [])
  for (const key of await operator.keys('*')) t.match(key, /^sluice:/)
})

t.test('each word of the rule is needed', async (t) => {
  const server = await startRedis(t)
  const operator = new Redis(server.url)
  t.teardown(() => operator.disconnect())
  const commands = forServer.filter((word) => word.startsWith('+'))
  t.equal(commands.length, 9)
  for (const command of commands) {
    await operator.call('ACL', 'DELUSER', 'sluice')
    await operator.call('ACL', ...forServer, `-${command.slice(1)}`)
    await operator.call('ACL', 'LOG', 'RESET')
    await operator.flushall()
    await operator.script('FLUSH')
    await tryEverything(t, server.port)
    const denied = JSON.stringify(await operator.call('ACL', 'LOG'))
    t.match(denied, `"${command.slice(1)}"`, command)
  }
})

/** The same, where it may fail. */
async function tryEverything (t: Test, port: number): Promise<void> {
  const { app } = await limitedApp(t, { redis: `redis://sluice:secret@127.0.0.1:${port}`, deadline: 5000, max: 1, timeWindow: '1 hour' })
  app.get('/refunded', async (request) => { await request.rateLimit?.refund(1) })
  await app.inject('/refunded')
  await statuses(app, 2)
  await app.rateLimit.reset('ip:127.0.0.1').catch(() => {})
  await app.rateLimit.health()
  await app.close()
}

t.test('the same user with the words for a Cluster can do everything on one', async (t) => {
  const server = await startRedis(t, ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'])
  const { port } = server
  const operator = new Redis(server.url)
  t.teardown(() => operator.disconnect())
  await operator.call('CLUSTER', 'ADDSLOTS', ...Array.from({ length: SLOTS }, (_, slot) => slot))
  for (let tries = 0; tries < MOST_TRIES && !(await operator.cluster('INFO')).includes('cluster_state:ok'); tries++) await delay(50)
  await operator.call('ACL', ...forServer)
  await operator.call('ACL', ...forCluster)
  await useEverything(t, { cluster: [{ host: '127.0.0.1', port }], redisOptions: { username: 'sluice', password: 'secret' } })
})
