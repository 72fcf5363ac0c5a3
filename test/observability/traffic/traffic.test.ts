// The page's counts of an application: how each kind of decision arrives.
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { mergeTraffic } from '../../../lib/observability/traffic/merge-traffic.js'
import { Traffic } from '../../../lib/observability/traffic/traffic.js'
import type { MergedTraffic } from '../../../lib/observability/traffic/traffic-views.js'
import type { RateLimitOptions } from '../../../lib/index.js'
import { bareApp } from '../../fixtures/app.js'

interface Observed {
  readonly app: FastifyInstance
  read (): MergedTraffic
}

/** An application with the page, and what was counted there. */
async function observedApp (t: Test, options: RateLimitOptions): Promise<Observed> {
  const { app, clock, plugin } = bareApp(t)
  const created: Traffic[] = []
  const { record } = Traffic.prototype
  t.teardown(() => { Traffic.prototype.record = record })
  Traffic.prototype.record = function (...decision) {
    if (!created.includes(this)) created.push(this)
    record.apply(this, decision)
  }
  await app.register(plugin, { clock, metrics: false, admin: { page: true }, ...options })
  return { app, read: () => mergeTraffic(created.map((traffic) => traffic.summarize()), clock.nowUs() / 1000) }
}

/** The counts by route, and by tier for users: allowed, refused, other. */
function readRoutes (read: Observed['read']): Record<string, readonly number[]> {
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count)
  return Object.fromEntries(read().outcomes.series.map(({ route, tier, allowed, refused, other }) => {
    return [tier === 'anonymous' ? route : `${route} ${tier}`, [sum(allowed), sum(refused), sum(other)]]
  }))
}

t.test('requests of routes, refusals and exemptions are counted by the pattern of the route', async (t) => {
  const { app, read } = await observedApp(t, { max: 2, exempt: { ips: ['192.0.2.7'] } })
  app.get('/reports/:id', async () => 'ok')
  for (const id of [1, 2, 3]) await app.inject(`/reports/${id}`)
  await app.inject({ url: '/reports/1', remoteAddress: '192.0.2.7' })
  t.strictSame(readRoutes(read), { '/reports/:id': [2, 1, 1] })
  t.match(read().limits, [{ name: 'default', refused: 1, bound: 3 }])
  t.match(read().clients.top, [{ partition: 'ip:127.0.0.1', requests: 3, refused: 1 }, { partition: 'ip:192.0.2.7', requests: 1, refused: 0 }])
})

t.test('unknown URLs, checks and work without a request are counted', async (t) => {
  const { app, read } = await observedApp(t, { max: 10 })
  app.get('/', { config: { rateLimit: false } }, async (request) => {
    await app.rateLimit.check(request)
    await app.rateLimit.consume('user:42')
    return 'ok'
  })
  await app.inject('/')
  await app.inject('/nowhere')
  t.strictSame(readRoutes(read), { '/': [1, 0, 0], '(unknown)': [1, 0, 0], '(unknown) standard': [1, 0, 0] })
  t.strictSame(read().clients.top.map(({ partition, requests }) => [partition, requests]), [['ip:127.0.0.1', 2], ['user:42', 1]])
})

t.test('a reply that the handler sends itself is counted', async (t) => {
  const { app, read } = await observedApp(t, { max: 10 })
  app.get('/', (_, reply) => {
    reply.hijack()
    reply.raw.end('ok')
  })
  await app.inject('/')
  t.strictSame(readRoutes(read), { '/': [1, 0, 0] })
})

t.test('a request that the store did not decide is counted, without a limit', async (t) => {
  const store = { kind: 'broken', take () { throw new Error('broken') }, peek: () => [], adjust () {}, reset: () => 0, ping () {} }
  const { app, read } = await observedApp(t, { max: 10, store, failureMode: 'closed', name: 'app' })
  app.get('/', async () => 'ok')
  await app.inject('/')
  t.strictSame(readRoutes(read), { '/': [0, 0, 1] })
  t.strictSame(read().limits, [])
})

t.test('a limit in shadow mode is shown beside the enforced one', async (t) => {
  const { app, read } = await observedApp(t, {
    limits: [{ name: 'wide', max: 9, timeWindow: 60_000 }, { name: 'tight', max: 1, timeWindow: 60_000, mode: 'shadow' }]
  })
  app.get('/', async () => 'ok')
  for (let i = 0; i < 3; i++) await app.inject('/')
  t.strictSame(readRoutes(read), { '/': [3, 0, 0] })
  t.strictSame(read().limits.map(({ name, mode, refused, bound }) => [name, mode, refused, bound]), [['tight', 'shadow', 2, 3], ['wide', 'enforce', 0, 3]])
})

t.test('without the page nothing is counted', async (t) => {
  for (const admin of [false, {}, { page: false }] as const) {
    const { app, read } = await observedApp(t, { max: 10, admin })
    app.get('/', async () => 'ok')
    await app.inject('/')
    t.strictSame(readRoutes(read), {})
  }
})
