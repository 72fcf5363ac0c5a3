import fastify, { type FastifyInstance, type InjectOptions } from 'fastify'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { systemClock } from '../../lib/common/clock.js'
import { checkHealth, type HealthSource } from '../../lib/observability/health.js'
import { bareApp, limitedApp } from '../fixtures/app.js'

const PATH = '/health/rate-limit'

async function statusOf (app: FastifyInstance, request: InjectOptions = {}): Promise<number> {
  return (await app.inject({ url: PATH, ...request })).statusCode
}

t.test('the memory store is always well', async (t) => {
  const { app } = await limitedApp(t, {})
  const response = await app.inject(PATH)
  t.equal(response.statusCode, 200)
  t.equal(response.headers['cache-control'], 'no-store')
  t.equal(response.headers['x-ratelimit-limit'], undefined, 'and asking is not counted')
  t.match(response.json(), { status: 'ok', store: 'memory', breaker: null, sinceMs: null, lastError: null })
  t.match(await app.rateLimit.health(), { status: 'ok', store: 'memory' })
})

interface Row {
  readonly why: string
  readonly status: 200 | 404
  readonly request: InjectOptions
  readonly allow?: string[]
  readonly trustProxy?: boolean | string
}

const rows: readonly Row[] = [
  { why: 'loopback', status: 200, request: { remoteAddress: '127.0.0.1' } },
  { why: 'loopback, IPv6', status: 200, request: { remoteAddress: '::1' } },
  { why: 'a private network', status: 200, request: { remoteAddress: '::ffff:10.1.2.3' } },
  { why: 'a public address', status: 404, request: { remoteAddress: '203.0.113.9' } },
  { why: 'a public address that writes a private one', status: 404, request: { remoteAddress: '203.0.113.9', headers: { 'x-forwarded-for': '127.0.0.1' } } },
  { why: 'an untrusted proxy on this host', status: 404, request: { headers: { 'x-forwarded-for': '127.0.0.1' } } },
  { why: 'an untrusted proxy with an empty list', status: 404, request: { headers: { 'x-forwarded-for': '' } } },
  { why: 'an untrusted proxy that sends Forwarded', status: 404, request: { headers: { forwarded: 'for=127.0.0.1' } } },
  { why: 'an untrusted proxy that sends X-Real-IP alone', status: 404, request: { headers: { 'x-real-ip': '127.0.0.1' } } },
  { why: 'an untrusted proxy that sends Via alone', status: 404, request: { headers: { via: '1.1 proxy' } } },
  { why: 'a trusted proxy, for a private client', status: 200, trustProxy: 'loopback', request: { headers: { 'x-forwarded-for': '10.0.0.7' } } },
  { why: 'a trusted proxy, for a client on this host', status: 200, trustProxy: 'loopback', request: { headers: { 'x-forwarded-for': '127.0.0.1' } } },
  { why: 'a trusted proxy, for a public client', status: 404, trustProxy: 'loopback', request: { headers: { 'x-forwarded-for': '203.0.113.9' } } },
  { why: 'a trusted proxy, for a client that forges', status: 404, trustProxy: 'loopback', request: { headers: { 'x-forwarded-for': '10.0.0.7, 203.0.113.9' } } },
  { why: 'trustProxy: true, for a client that forges', status: 404, trustProxy: true, request: { headers: { 'x-forwarded-for': '10.0.0.7, 203.0.113.9' } } },
  { why: 'a trusted proxy that sends Forwarded, which nobody reads', status: 404, trustProxy: 'loopback', request: { headers: { forwarded: 'for=10.0.0.7' } } },
  { why: 'a public address on the list', status: 200, allow: ['203.0.113.0/24'], request: { remoteAddress: '203.0.113.9' } },
  { why: 'loopback off the list', status: 404, allow: ['203.0.113.0/24'], request: { remoteAddress: '127.0.0.1' } },
  { why: 'nobody on the list', status: 404, allow: [], request: { remoteAddress: '127.0.0.1' } }
]

for (const { why, status, request, allow, trustProxy } of rows) {
  t.test(`${status} for ${why}`, async (t) => {
    const { app } = await limitedApp(t, { health: { allow } }, { trustProxy })
    t.equal(await statusOf(app, request), status)
  })
}

t.test('who may not ask gets what an unknown URL gets', async (t) => {
  const { app } = await limitedApp(t, {})
  app.setNotFoundHandler((_request, reply) => { reply.code(404).send('nothing here') })
  t.equal((await app.inject({ url: PATH, remoteAddress: '203.0.113.9' })).body, 'nothing here')
})

t.test('false mounts nothing; another path is another path, below the prefix', async (t) => {
  const { app: without } = await limitedApp(t, { health: false })
  t.equal(await statusOf(without), 404)
  t.match(await without.rateLimit.health(), { status: 'ok' })

  const { app, plugin } = bareApp(t)
  await app.register(async (child) => { await child.register(plugin, { health: { path: '/limits' } }) }, { prefix: '/v1' })
  t.equal(await statusOf(app, { url: '/v1/limits' }), 200)
  t.equal(await statusOf(app), 404)
})

t.test('a switched-off registration still tells', async (t) => {
  const { app } = await limitedApp(t, { enabled: false })
  t.equal(await statusOf(app), 200)
})

t.test('a path that is taken is an error that names the option and the route', async (t) => {
  const { app, plugin } = bareApp(t)
  app.get('/taken', async () => 'mine')
  await t.rejects(async () => { await app.register(plugin, { health: { path: '/taken' } }) }, {
    code: 'FST_SLUICE_ROUTE_TAKEN',
    message: 'rateLimit.health.path: the application already has a route /taken; set another path, or false'
  })
})

async function siblings (t: Test, first: RateLimitOptions, second: RateLimitOptions): Promise<FastifyInstance> {
  const { app, plugin } = bareApp(t)
  await app.register(async (child) => { await child.register(plugin, { name: 'first', ...first }) })
  await app.register(async (child) => { await child.register(plugin, { name: 'second', ...second }) })
  return app
}

t.test('registrations that meet at one URL share the route', async (t) => {
  const app = await siblings(t, {}, {})
  t.equal(await statusOf(app), 200)
})

t.test('a shared route tells only whom all of its registrations allow', async (t) => {
  const app = await siblings(t, { health: { allow: ['loopback', 'private'] } }, { health: { allow: ['10.0.0.0/8'] } })
  t.equal(await statusOf(app, { remoteAddress: '127.0.0.1' }), 404)
  t.equal(await statusOf(app, { remoteAddress: '192.168.0.1' }), 404)
  t.equal(await statusOf(app, { remoteAddress: '10.0.0.1' }), 200)
})

t.test('two applications in one process do not share', async (t) => {
  const apps = [fastify(), fastify()]
  for (const app of apps) {
    t.teardown(() => app.close())
    await app.register(bareApp(t).plugin, {})
    t.equal(await statusOf(app), 200)
  }
})

const well: HealthSource = { kind: 'redis', location: null, clock: systemClock, ping: async () => {}, deadlineMs: 30, breaker: { state: 'closed', isAdmitting: true, sinceMs: 5 }, lastError: () => null }

const reports: ReadonlyArray<readonly [why: string, source: Partial<HealthSource>, status: string, pingMs: boolean]> = [
  ['a store that answers', {}, 'ok', true],
  ['a store that hangs', { ping: () => new Promise(() => {}) }, 'degraded', false],
  ['a store that rejects', { ping: async () => { throw new Error('down') } }, 'degraded', false],
  ['a store that throws', { ping: () => { throw new Error('down') } }, 'degraded', false],
  ['an open breaker', { breaker: { state: 'open', isAdmitting: false, sinceMs: 5 } }, 'degraded', true],
  ['a probe on its way', { breaker: { state: 'half-open', isAdmitting: false, sinceMs: 5 } }, 'degraded', true],
  // Else an instance that gets no requests while it is degraded would never get any.
  ['an open breaker whose probe is due', { breaker: { state: 'open', isAdmitting: true, sinceMs: 5000 } }, 'ok', true],
  ['a probe that is due at a store that hangs', { breaker: { state: 'open', isAdmitting: true, sinceMs: 5000 }, ping: () => new Promise(() => {}) }, 'degraded', false]
]

for (const [why, source, status, hasPing] of reports) {
  t.test(`${why} is ${status}`, async (t) => {
    const keepsAlive = setTimeout(() => {}, 5000)
    const health = await checkHealth({ ...well, ...source, lastError: () => 'OOM' })
    clearTimeout(keepsAlive)
    t.equal(health.status, status)
    t.equal(health.pingMs !== null, hasPing)
    t.equal(health.lastError, 'OOM')
  })
}
