import fastify, { type FastifyInstance } from 'fastify'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { bareApp, limitedApp, statuses } from '../fixtures/app.js'
import { createStoreApp, requestAs, byHeaders } from '../fixtures/each-store.js'
import { startRedis } from '../fixtures/redis-server.js'
import { until } from '../fixtures/until.js'
import { readSeries } from '../observability/metrics/samples.js'

const REQUESTS = 'rate_limit_requests_total'
const REJECTIONS = 'rate_limit_rejections_total'
const limit = { max: 2, timeWindow: '1 hour' } as const

/** The samples of a metric of an application, by their labels. */
async function read ({ rateLimit: { metrics } }: FastifyInstance, name: string): Promise<Record<string, number>> {
  if (metrics === null) throw new Error('nothing is counted')
  return await readSeries({ registry: metrics }, name)
}

t.test('Prometheus reads what became of requests, by the pattern of their route', async (t) => {
  const { app } = await limitedApp(t, limit)
  app.get('/users/:id', async () => 'user')
  await statuses(app, 2, '/users/1')
  await statuses(app, 1, { url: '/users/2', remoteAddress: '203.0.113.9', method: 'HEAD' })
  t.strictSame(await statuses(app, 2, '/no/such/thing'), [429, 429])
  const response = await app.inject('/metrics')
  t.equal(response.statusCode, 200)
  t.match(response.headers['content-type'], /^text\/plain; version=0\.0\.4/)
  t.equal(response.headers['cache-control'], 'no-store')
  t.equal(response.headers['x-ratelimit-limit'], undefined, 'reading is not counted')
  t.match(response.body, '# TYPE rate_limit_requests_total counter')
  t.match(response.body, 'rate_limit_requests_total{route="/users/:id",tier="anonymous",outcome="allowed"} 3')
  t.strictSame(await read(app, REQUESTS), {
    '{route="/users/:id",tier="anonymous",outcome="allowed"}': 3,
    '{route="(unknown)",tier="anonymous",outcome="rejected"}': 2
  })
  t.strictSame(await read(app, REJECTIONS), { '{route="(unknown)",limit="default",tier="anonymous",mode="enforce"}': 2 })
  t.strictSame(await read(app, 'rate_limit_memory_keys'), { '': 2 })
})

t.test('every way in is counted once: routes from before, guards, later phases, checks', async (t) => {
  const { app, plugin } = bareApp(t)
  app.get('/early', async () => 'early')
  await app.register(plugin, { max: 100, timeWindow: '1 hour' })
  app.get('/guarded', { preHandler: app.rateLimit() }, async () => 'guarded')
  app.get('/late', { config: { rateLimit: { hook: 'preHandler' } } }, async () => 'late')
  app.get('/checked', { config: { rateLimit: false } }, async (request) => await app.rateLimit.check(request))
  for (const url of ['/early', '/guarded', '/late', '/checked']) t.equal((await app.inject(url)).statusCode, 200)
  t.strictSame(await read(app, REQUESTS), Object.fromEntries(
    ['/early', '/guarded', '/late', '/checked'].map((route) => [`{route="${route}",tier="anonymous",outcome="allowed"}`, 1])
  ))
})

t.test('tiers, exemptions, shadow limits and limits that are nearly used up show', async (t) => {
  const { app } = await limitedApp(t, {
    identify: byHeaders,
    limits: [{ name: 'burst', max: 5, timeWindow: '1 hour' }, { name: 'trial', max: 1, timeWindow: '1 hour', mode: 'shadow' }],
    tiers: { internal: false, premium: { max: 100, timeWindow: '1 hour' } }
  })
  await statuses(app, 5)
  await statuses(app, 2, requestAs('1', 'premium'))
  await statuses(app, 3, requestAs('2', 'internal'))
  await statuses(app, 1, requestAs('3', 'no such tier'))
  t.strictSame(await read(app, REQUESTS), {
    '{route="/",tier="anonymous",outcome="allowed"}': 5,
    '{route="/",tier="premium",outcome="allowed"}': 2,
    '{route="/",tier="internal",outcome="exempt"}': 3,
    '{route="/",tier="standard",outcome="allowed"}': 1
  })
  t.strictSame(await read(app, REJECTIONS), { '{route="/",limit="trial",tier="anonymous",mode="shadow"}': 4 })
  // Whether nothing is left of one unit or of five: less than a fifth is.
  t.strictSame(await read(app, 'rate_limit_near_limit_total'), { '{limit="burst"}': 1, '{limit="trial"}': 2, '{limit="default"}': 0 })
})

t.test('penalties and delays show', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1s', penalty: { strikes: 2, cooldown: '1 minute' } })
  await statuses(app, 4)
  t.strictSame(await read(app, REQUESTS), {
    '{route="/",tier="anonymous",outcome="allowed"}': 1,
    '{route="/",tier="anonymous",outcome="rejected"}': 1,
    '{route="/",tier="anonymous",outcome="blocked"}': 2
  })
  t.strictSame(await read(app, 'rate_limit_delay_seconds_count'), { '': 0 })

  // In real time, for nobody else lets it out of the line.
  const { app: patient } = await createStoreApp(t, { name: 'memory', options: () => ({}) }, { max: 1, timeWindow: '1s', throttle: { maxDelay: '5s' } })
  await Promise.all([patient.inject('/'), patient.inject('/')])
  t.strictSame(await read(patient, 'rate_limit_delay_seconds_count'), { '': 1 })
  const { '': seconds } = await read(patient, 'rate_limit_delay_seconds_sum')
  t.ok(seconds > 0 && seconds <= 1)
})

t.test('reloads show, and the limits that they bring', async (t) => {
  const { app } = await limitedApp(t, limit)
  await app.rateLimit.reload({ limits: [{ name: 'hourly', max: 5, timeWindow: '1 hour' }] })
  await t.rejects(app.rateLimit.reload({ max: -1 }))
  t.strictSame(await read(app, 'rate_limit_config_reloads_total'), { '{result="success"}': 1, '{result="failure"}': 1 })
  t.strictSame(await read(app, 'rate_limit_near_limit_total'), { '{limit="default"}': 0, '{limit="hourly"}': 0 })
})

t.test('the calls to Redis are timed, and what happens without it shows', async (t) => {
  const server = await startRedis(t)
  // In real time, or no call is ever too late.
  const { app } = await createStoreApp(t, { name: 'redis', options: () => ({ redis: server.url }) }, { ...limit, deadline: 2000, breaker: { failures: 1, openFor: '1 hour' } })
  await statuses(app, 2)
  await app.rateLimit.reset('ip:127.0.0.1')
  t.strictSame(await read(app, 'rate_limit_store_duration_seconds_count'), { '{store="redis",operation="take"}': 2, '{store="redis",operation="reset"}': 1 })
  t.strictSame(await read(app, 'rate_limit_breaker_state'), { '{state="closed"}': 1, '{state="open"}': 0, '{state="half-open"}': 0 })

  await server.stop()
  await until('the breaker opens', 20_000, async () => {
    await statuses(app, 1)
    return (await read(app, 'rate_limit_breaker_state'))['{state="open"}'] === 1
  })
  await statuses(app, 1)
  const errors = await read(app, 'rate_limit_store_errors_total')
  t.ok(errors['{store="redis",reason="breaker"}'] > 0, 'what was not sent')
  t.ok(errors['{store="redis",reason="connection"}'] + errors['{store="redis",reason="deadline"}'] > 0, 'what failed')
  const { '{mode="local"}': local, ...others } = await read(app, 'rate_limit_fallback_total')
  t.ok(local >= 2)
  t.strictSame(others, { '{mode="open"}': 0, '{mode="closed"}': 0 })
})

t.test('false counts nothing, mounts nothing, and changes nothing else', async (t) => {
  const { app } = await limitedApp(t, { ...limit, metrics: false })
  t.strictSame(await statuses(app, 3), [200, 200, 429])
  t.equal(app.rateLimit.metrics, null)
  t.equal((await app.inject({ url: '/metrics', remoteAddress: '203.0.113.9' })).statusCode, 404)
})

t.test('a registry of the application\'s holds both its metrics and these', async (t) => {
  const registry = new Registry()
  const { app } = await limitedApp(t, { ...limit, metrics: { registry, path: '/internal/metrics' } })
  await statuses(app, 1)
  t.equal(app.rateLimit.metrics, registry)
  t.match(await registry.metrics(), 'rate_limit_requests_total{route="/",tier="anonymous",outcome="allowed"} 1')
  t.equal((await app.inject('/internal/metrics')).body, await registry.metrics())
})

const whoMayRead: ReadonlyArray<readonly [why: string, status: 200 | 404, options: RateLimitOptions['metrics'], address: string, headers?: Record<string, string>]> = [
  ['loopback', 200, undefined, '127.0.0.1'],
  ['a private address', 200, {}, '10.1.2.3'],
  ['a public address', 404, undefined, '203.0.113.9'],
  ['a proxy that nobody trusts, on this host', 404, undefined, '127.0.0.1', { 'x-forwarded-for': '10.0.0.1' }],
  ['a public address on the list', 200, { allow: ['203.0.113.0/24'] }, '203.0.113.9'],
  ['loopback off the list', 404, { allow: ['203.0.113.0/24'] }, '127.0.0.1']
]

for (const [why, status, metrics, remoteAddress, headers] of whoMayRead) {
  t.test(`${status} for ${why}`, async (t) => {
    const { app } = await limitedApp(t, { metrics })
    t.equal((await app.inject({ url: '/metrics', remoteAddress, headers })).statusCode, status)
  })
}

t.test('a path of its own that is taken is an error that names the option and the route, whichever came first', async (t) => {
  const expected = { code: 'FST_SLUICE_ROUTE_TAKEN', message: 'rateLimit.metrics.path: the application already has a route /metrics; set another path, or false' }
  const { app: first, plugin } = bareApp(t)
  first.get('/metrics', async () => 'mine')
  const own = { ...limit, metrics: { path: '/metrics' } }
  await t.rejects(async () => { await first.register(plugin, own) }, expected)

  const { app: later } = await limitedApp(t, own)
  t.throws(() => later.get('/metrics', async () => 'mine'), expected)
  t.throws(() => later.route({ method: ['GET', 'POST'], url: '/metrics', handler: async () => 'mine' }), expected)
  t.doesNotThrow(() => later.post('/metrics', async () => 'mine'))
  t.doesNotThrow(() => later.get('/metrics', { constraints: { host: 'shop.example' } }, async () => 'a shop'))
  t.equal((await later.inject('/metrics')).statusCode, 200)
})

async function twoIn (t: Test, outer: RateLimitOptions, inner: RateLimitOptions): Promise<FastifyInstance> {
  const { app, plugin } = bareApp(t)
  await app.register(plugin, { ...limit, ...outer })
  app.get('/', async () => 'outer')
  await app.register(async (child) => {
    await child.register(plugin, { ...limit, ...inner })
    child.get('/', async () => 'inner')
  }, { prefix: '/api' })
  return app
}

t.test('registrations of one application share a registry, and its route', async (t) => {
  const app = await twoIn(t, {}, {})
  await statuses(app, 1)
  await statuses(app, 1, '/api')
  t.match((await app.inject('/metrics')).body, /route="\/",.* 1\n[^]*route="\/api",.* 1\n/)
  t.equal((await app.inject({ url: '/api/metrics' })).statusCode, 404, 'it is mounted once')
})

t.test('who may read is said by the registrations that say so', async (t) => {
  const status = async (app: FastifyInstance, remoteAddress: string) => (await app.inject({ url: '/metrics', remoteAddress })).statusCode
  const open = await twoIn(t, { metrics: { allow: ['203.0.113.9'] } }, {})
  t.equal(await status(open, '203.0.113.9'), 200)
  const openedLater = await twoIn(t, {}, { metrics: { allow: ['203.0.113.9'] } })
  t.equal(await status(openedLater, '203.0.113.9'), 200)
  const apart = await twoIn(t, { metrics: { allow: ['203.0.113.9', '203.0.113.7'] } }, { metrics: { allow: ['203.0.113.9'] } })
  t.strictSame([await status(apart, '203.0.113.9'), await status(apart, '203.0.113.7')], [200, 404], 'and all of them must allow it')
})

t.test('a registration with another path or another registry has a route of its own', async (t) => {
  const twice = await twoIn(t, {}, { metrics: { path: '/limits' } })
  t.equal((await twice.inject('/metrics')).body, (await twice.inject('/api/limits')).body)

  const apart = await twoIn(t, {}, { metrics: { registry: new Registry() } })
  await statuses(apart, 1)
  t.match((await apart.inject('/metrics')).body, 'route="/"')
  t.notMatch((await apart.inject('/api/metrics')).body, 'route="/"')
})

t.test('two registries at one URL are an error', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  const { plugin } = bareApp(t)
  await app.register(async (child) => { await child.register(plugin, { name: 'first' }) })
  await t.rejects(async () => {
    await app.register(async (child) => { await child.register(plugin, { name: 'second', metrics: { registry: new Registry() } }) })
  }, { code: 'FST_SLUICE_CONTRADICTION', message: /^rateLimit\.metrics\.registry: another registration publishes another registry at \/metrics;/ })
})
