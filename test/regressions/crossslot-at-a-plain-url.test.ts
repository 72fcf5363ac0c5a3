// A plain URL to an endpoint that enforces slots: two clients in one turn shared a call, and Redis refused it.
import t, { type Test } from 'tap'
import { Redis } from 'ioredis'
import Fastify from 'fastify'
import { rateLimitPlugin, type RateLimitOptions } from '../../lib/index.js'
import { startCluster } from '../fixtures/cluster.js'
import { startRedis } from '../fixtures/redis-server.js'
import { until } from '../fixtures/until.js'

async function openApp (t: Test, options: RateLimitOptions) {
  const lines: string[] = []
  const app = Fastify({ logger: { level: 'warn', stream: { write: (line: string) => { lines.push(line) } } } })
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { deadline: 5000, failureMode: 'closed', ...options })
  app.get('/', async () => 'hello')
  const get = async (client: string) => (await app.inject({ url: '/', remoteAddress: client })).statusCode
  return { app, get, lines }
}

t.test('a Cluster of one node by a plain URL grants exactly the limit, and logs once', async (t) => {
  const server = await startRedis(t, ['--cluster-enabled', 'yes'])
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  await admin.call('cluster', 'addslotsrange', '0', '16383')
  await until('a cluster that is well', 30_000, async () => String(await admin.call('cluster', 'info')).includes('cluster_state:ok'))
  const apps = await Promise.all([1, 2, 3].map(() => openApp(t, {
    redis: server.url, limits: [{ name: 'each', max: 5, timeWindow: '1 hour' }, { name: 'all', by: 'global', max: 100, timeWindow: '1 hour' }]
  })))
  const clients = ['192.0.2.1', '192.0.2.2', '192.0.2.3']
  const statuses: number[] = []
  for (let round = 0; round < 6; round++) {
    statuses.push(...await Promise.all(apps.flatMap(({ get }) => clients.map(get))))
  }
  t.equal(statuses.filter((status) => status === 200).length, 15)
  t.equal(statuses.filter((status) => status === 429).length, statuses.length - 15, 'no request fails')
  for (const { app, lines } of apps) {
    t.equal(lines.length, 1, lines.join(''))
    t.match(lines[0], /enforces slots \(CROSSSLOT\)/)
    t.match(await app.rateLimit.health(), { status: 'ok', lastError: null })
  }
})

t.test('a node of a Cluster by a plain URL: log and health say what to use', async (t) => {
  const { primaries } = await startCluster(t)
  const { app, get, lines } = await openApp(t, { max: 5, timeWindow: '1 hour', redis: primaries[0].url })
  await until('MOVED', 20_000, async () => {
    for (let client = 1; client < 10; client++) await get(`192.0.2.${client}`)
    return (await app.rateLimit.health()).lastError !== null
  })
  t.equal((await app.rateLimit.health()).lastError, 'MOVED: this is a Cluster, use { cluster }')
  t.match(lines.join(''), /MOVED: this is a Cluster, use \{ cluster \}/)
})
