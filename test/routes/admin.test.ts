import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fastify, { type FastifyInstance, type InjectOptions } from 'fastify'
import t from 'tap'
import { RELOAD_CHANNEL, type RateLimitOptions } from '../../lib/index.js'
import { bareApp, limitedApp, statuses } from '../fixtures/app.js'
import { createStoreApp, eachStore } from '../fixtures/each-store.js'
import { startRedis } from '../fixtures/redis-server.js'
import { until } from '../fixtures/until.js'

const limit = { max: 2, timeWindow: '1 hour' } as const
const penalty = { strikes: 1, cooldown: '1 minute' } as const
const PREFIX = '/admin/rate-limit'

/** Lets whoever has the password in. */
async function onRequest (request: { readonly headers: Record<string, unknown> }): Promise<void> {
  if (request.headers.password !== 'sesame') throw Object.assign(new Error('who are you?'), { statusCode: 401 })
}

/** Ask as an operator: the status, and what is answered. */
async function ask (app: FastifyInstance, method: 'GET' | 'DELETE' | 'PUT', path: string, rest: InjectOptions = {}) {
  const response = await app.inject({ method, url: PREFIX + path, headers: { password: 'sesame' }, ...rest })
  return { status: response.statusCode, headers: response.headers, body: response.json() }
}

async function switchTo (app: FastifyInstance, enabled: unknown) {
  return await ask(app, 'PUT', '/state', { payload: { enabled } })
}

t.test('on each store', async (t) => {
  for (const store of await eachStore()) {
    t.test(`${store.name}: an operator looks at a partition, and lifts its block`, async (t) => {
      const { app } = await createStoreApp(t, store, { ...limit, penalty, admin: { onRequest } })
      t.strictSame(await statuses(app, 4, { url: '/', remoteAddress: '203.0.113.9' }), [200, 200, 429, 429])
      const { status, headers, body } = await ask(app, 'GET', '/standings?partition=ip:203.0.113.9')
      t.equal(status, 200)
      t.equal(headers['cache-control'], 'no-store')
      t.equal(headers['x-ratelimit-limit'], undefined, 'it is not counted')
      t.match(body, { partition: 'ip:203.0.113.9', standings: [{ scope: 'default', tier: null, name: 'default', max: 2, windowMs: 3_600_000, remaining: 0, isExceeded: true }] })
      t.ok(body.standings[0].blockedMs > 0)
      t.match((await ask(app, 'GET', '/blocked')).body, { blocked: [{ partition: 'ip:203.0.113.9', scope: 'default' }], cursor: null })

      t.strictSame((await ask(app, 'DELETE', '/standings?partition=ip:203.0.113.9')).body, { forgotten: 2 })
      t.strictSame((await ask(app, 'GET', '/blocked')).body, { blocked: [], cursor: null })
      t.strictSame((await ask(app, 'DELETE', '/standings?partition=ip:203.0.113.9')).body, { forgotten: 0 })
      t.strictSame(await statuses(app, 1, { url: '/', remoteAddress: '203.0.113.9' }), [200])
    })
  }
})

t.test('the list of blocks comes in pages', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 hour', penalty, admin: {} })
  for (const remoteAddress of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) await statuses(app, 2, { url: '/', remoteAddress })
  const first = await ask(app, 'GET', '/blocked?limit=2')
  t.match(first.body.blocked, [{ partition: 'ip:10.0.0.1' }, { partition: 'ip:10.0.0.2' }])
  const second = await ask(app, 'GET', `/blocked?limit=2&cursor=${encodeURIComponent(first.body.cursor)}`)
  t.match(second.body, { blocked: [{ partition: 'ip:10.0.0.3' }], cursor: null })
})

t.test('the policies are shown as they are explained', async (t) => {
  const { app } = await limitedApp(t, { ...limit, rules: [{ name: 'login', match: '/login', max: 5, timeWindow: '1 minute' }], admin: { onRequest }, redis: undefined })
  app.post('/login', async () => 'in')
  const plain = (value: unknown) => JSON.parse(JSON.stringify(value))
  t.strictSame((await ask(app, 'GET', '/policies')).body, plain(app.rateLimit.explain()))
  t.strictSame((await ask(app, 'GET', '/policies?route=POST%20/login')).body, plain(app.rateLimit.explain('POST /login')))
})

const wrong: ReadonlyArray<readonly [method: 'GET' | 'DELETE' | 'PUT', path: string, detail: string, payload?: object]> = [
  ['GET', '/standings?partition=203.0.113.9', 'partition: expected a partition such as "ip:203.0.113.9", "user:42", "key:abc" or "global", got "203.0.113.9"'],
  ['DELETE', '/standings?partition=ip:1.2.3', 'partition: expected a partition such as "ip:203.0.113.9", "user:42", "key:abc" or "global", got "ip:1.2.3"'],
  ['GET', '/standings', 'partition: expected one partition such as "ip:203.0.113.9", "user:42", "key:abc" or "global", got nothing'],
  ['DELETE', '/standings?partition=user:1&partition=user:2', 'partition: expected one partition such as "ip:203.0.113.9", "user:42", "key:abc" or "global", got an array of 2'],
  ['GET', '/blocked?limit=all', 'limit: expected an integer from 1 to 1000, got NaN'],
  ['GET', '/blocked?limit=1001', 'limit: expected an integer from 1 to 1000, got 1001'],
  ['GET', '/blocked?cursor=x', 'cursor: expected the cursor of the previous page, got "x"'],
  ['GET', '/policies?route=login', 'rateLimit.explain: expected a route such as "GET /login" or { method: "GET", url: "/login" }, got "login"'],
  ['PUT', '/state', 'body.enabled: expected true or false, got "no"', { enabled: 'no' }],
  ['PUT', '/state', 'body.enable: unknown option, did you mean "enabled"?', { enabled: true, enable: false }],
  ['PUT', '/state', 'body: expected an object: { enabled, instances? }, got an array of 0', []],
  ['PUT', '/state', 'body.instances: expected "this" or "all", got "some"', { enabled: true, instances: 'some' }],
  ['PUT', '/state', 'body.instances: expected "this"; "all" needs Redis, and the option admin.page on each instance, got "all"', { enabled: true, instances: 'all' }]
]

t.test('what cannot be answered gets 400 with the reason', async (t) => {
  const { app } = await limitedApp(t, { ...limit, admin: { onRequest } })
  for (const [method, path, detail, payload] of wrong) {
    const { status, headers, body } = await ask(app, method, path, payload === undefined ? {} : { payload })
    t.equal(status, 400)
    t.equal(headers['content-type'], 'application/problem+json; charset=utf-8')
    t.match(body, { type: 'about:blank', title: 'Bad Request', status: 400, detail, instance: /^req-/ })
  }
  t.strictSame((await ask(app, 'GET', '/state')).body, { enabled: true, configured: true })
})

t.test('the switch takes hold at once, is logged and told, and outlives a reload', async (t) => {
  const told: unknown[] = []
  const hear = (message: unknown) => { told.push(message) }
  subscribe(RELOAD_CHANNEL, hear)
  t.teardown(() => unsubscribe(RELOAD_CHANNEL, hear))
  const { app, log } = await limitedApp(t, { ...limit, admin: { onRequest } })
  t.strictSame(await statuses(app, 3), [200, 200, 429])
  t.match(await switchTo(app, false), { status: 200, body: { enabled: false, configured: true } })
  t.strictSame(await statuses(app, 2), [200, 200])
  t.equal((await app.inject('/')).headers['x-ratelimit-limit'], undefined)
  t.match(app.rateLimit.explain('GET /').reason, { option: 'enabled', value: false, from: 'operator', place: 'an operator, at run time' })
  await app.rateLimit.reload({ max: 3 })
  t.strictSame((await ask(app, 'GET', '/state')).body, { enabled: false, configured: true })
  t.match(await switchTo(app, false), { body: { enabled: false } })
  t.match(await switchTo(app, true), { body: { enabled: true, configured: true } })
  t.strictSame(await statuses(app, 2), [200, 429], 'what was used stays used, and the reload counts')
  t.equal(app.rateLimit.explain().options.find(({ option }) => option === 'enabled')?.from, 'built-in', 'nothing of the operator is left')
  const registration = 'app'
  t.strictSame(told, ['operator', 'call', 'operator'].map((source) => ({ registration, source, result: 'success' })))
  t.strictSame(log.map(({ msg }) => msg), ['rate limit: an operator switched the limits off', 'rate limit: an operator switched the limits on'])
  t.match((await app.inject('/metrics')).body, 'rate_limit_config_reloads_total{result="success"} 1')
})

t.test('the switch works while the config file cannot be read, and gives way where it says the same', async (t) => {
  const file = join(t.testdir({ 'limits.toml': 'enabled = false\n' }), 'limits.toml')
  const { app } = await limitedApp(t, { ...limit, configFile: file, admin: { onRequest } })
  t.match(await switchTo(app, true), { body: { enabled: true, configured: false } })
  writeFileSync(file, 'enabled = = false\n')
  await t.rejects(app.rateLimit.reload())
  t.match(await switchTo(app, false), { body: { enabled: false, configured: false } })
  writeFileSync(file, 'enabled = true\n')
  await app.rateLimit.reload()
  t.strictSame((await ask(app, 'GET', '/state')).body, { enabled: true, configured: true })
})

t.test('without hooks nothing can be changed', async (t) => {
  const { app } = await limitedApp(t, { ...limit, admin: {} })
  for (const path of ['/standings?partition=global', '/blocked', '/policies', '/state']) t.equal((await ask(app, 'GET', path)).status, 200)
  t.equal((await switchTo(app, false)).status, 404)
  t.equal((await ask(app, 'DELETE', '/standings?partition=global')).status, 404)
})

t.test('the hooks of the application decide, all of them and in order', async (t) => {
  const asked: string[] = []
  const { app } = await limitedApp(t, {
    ...limit,
    admin: {
      onRequest: [
        (_request, _reply, done) => {
          asked.push('first')
          done()
        },
        async (request, reply) => {
          asked.push('second')
          if (request.headers.password === undefined) return await reply.code(403).send('no')
        }
      ]
    }
  })
  const stranger = await app.inject({ url: `${PREFIX}/state` })
  t.equal(stranger.statusCode, 403)
  t.equal(stranger.headers['cache-control'], 'no-store')
  t.equal((await ask(app, 'GET', '/state')).status, 200)
  t.strictSame(asked, ['first', 'second', 'first', 'second'])

  const { app: throwing, plugin } = bareApp(t)
  throwing.setErrorHandler((error, _request, reply) => reply.code(401).send({ handled: error instanceof Error && error.message }))
  await throwing.register(plugin, { ...limit, admin: { onRequest } })
  t.match(await ask(throwing, 'PUT', '/state', { headers: {}, payload: { enabled: false } }), { status: 401, body: { handled: 'who are you?' } })
  t.match((await ask(throwing, 'GET', '/state')).body, { enabled: true })
})

const whoMayAsk: ReadonlyArray<readonly [why: string, status: 200 | 404, admin: NonNullable<RateLimitOptions['admin']>, address: string, headers?: Record<string, string>]> = [
  ['loopback', 200, {}, '127.0.0.1'],
  ['a private address', 200, { onRequest }, '10.1.2.3'],
  ['a public address, though a hook would let it in', 404, { onRequest }, '203.0.113.9'],
  ['a proxy that nobody trusts, on this host', 404, { onRequest }, '127.0.0.1', { 'x-forwarded-for': '10.0.0.1' }],
  ['a public address on the list', 200, { onRequest, allow: ['203.0.113.0/24'] }, '203.0.113.9'],
  ['loopback off the list', 404, { onRequest, allow: ['203.0.113.0/24'] }, '127.0.0.1']
]

for (const [why, status, admin, remoteAddress, headers] of whoMayAsk) {
  t.test(`${status} for ${why}`, async (t) => {
    const { app } = await limitedApp(t, { ...limit, admin })
    const response = await app.inject({ url: `${PREFIX}/state`, remoteAddress, headers: { password: 'sesame', ...headers } })
    t.equal(response.statusCode, status)
    if (status === 404) t.strictSame(response.json(), { message: `Route GET:${PREFIX}/state not found`, error: 'Not Found', statusCode: 404 })
  })
}

t.test('from elsewhere the hooks are not even asked', async (t) => {
  const { app } = await limitedApp(t, { ...limit, admin: { onRequest } })
  for (const method of ['GET', 'PUT'] as const) t.equal((await ask(app, method, '/state', { remoteAddress: '203.0.113.9', headers: {} })).status, 404)
})

t.test('nothing is mounted unless it is asked for', async (t) => {
  for (const admin of [undefined, false] as const) {
    const { app } = await limitedApp(t, { ...limit, admin })
    t.equal((await ask(app, 'GET', '/state')).status, 404)
  }
})

t.test('they are where the application wants them, below the prefix of the registration', async (t) => {
  const { app, plugin } = bareApp(t)
  await app.register(async (child) => {
    await child.register(plugin, { ...limit, admin: { prefix: '/ops', onRequest } })
  }, { prefix: '/api' })
  t.equal((await app.inject({ url: '/api/ops/state', headers: { password: 'sesame' } })).statusCode, 200)
})

t.test('a path that is taken is an error that names the option and the route, whoever came first', async (t) => {
  const expected = { code: 'FST_SLUICE_ROUTE_TAKEN', message: 'rateLimit.admin.prefix: the application already has a route /ops/state; set another path, or false' }
  const admin = { prefix: '/ops', onRequest }
  const { app: first, plugin } = bareApp(t)
  first.get('/ops/state', async () => 'mine')
  await t.rejects(async () => { await first.register(plugin, { ...limit, admin }) }, expected)

  const { app: later } = await limitedApp(t, { ...limit, admin })
  t.throws(() => later.get('/ops/state', async () => 'mine'), expected)
  t.throws(() => later.route({ method: ['POST', 'PUT'], url: '/ops/state', handler: async () => 'mine' }), expected)
  t.doesNotThrow(() => later.post('/ops/state', async () => 'mine'))
  t.equal((await later.inject({ url: '/ops/state', headers: { password: 'sesame' } })).statusCode, 200)
})

t.test('two registrations cannot have them at one path', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  const { plugin } = bareApp(t)
  await app.register(async (child) => { await child.register(plugin, { name: 'first', admin: {} }) })
  await t.rejects(async () => { await app.register(async (child) => { await child.register(plugin, { name: 'second', admin: {} }) }) }, { code: 'FST_SLUICE_ROUTE_TAKEN' })
})

t.test('an application that checks and writes bodies its own way can have them', async (t) => {
  const { app, plugin } = bareApp(t)
  app.setValidatorCompiler(() => { throw new Error('a schema that is not mine') })
  app.setSerializerCompiler(() => { throw new Error('a schema that is not mine') })
  await app.register(plugin, { ...limit, admin: { onRequest } })
  t.match(await switchTo(app, false), { status: 200, body: { enabled: false } })
})

t.test('while the store is away, what only it can answer gets 503, and the switch works', async (t) => {
  const server = await startRedis(t)
  const { app } = await createStoreApp(t, { name: 'redis', options: () => ({ redis: server.url }) }, { ...limit, admin: { onRequest }, deadline: 500, breaker: { openFor: '7s' } })
  await until('Redis answers', 20_000, async () => (await ask(app, 'GET', '/standings?partition=global')).status === 200)
  await server.stop()
  for (const method of ['GET', 'DELETE'] as const) {
    const { status, headers, body } = await ask(app, method, '/standings?partition=ip:203.0.113.9')
    t.equal(status, 503)
    t.equal(headers['retry-after'], '7')
    t.match(body, { title: 'Temporary Reduced Capacity', status: 503 })
  }
  t.strictSame((await ask(app, 'GET', '/blocked')).body, { blocked: [], cursor: null })
  t.match(await switchTo(app, false), { body: { enabled: false } })
})

const mistakes: ReadonlyArray<readonly [admin: unknown, code: string, message: string]> = [
  [true, 'BAD_OPTION', ': expected false, or an object: { prefix?, onRequest?, allow?, openapi?, page? }, got true'],
  [{ prefix: 'admin' }, 'BAD_OPTION', '.prefix: expected a path such as "/admin/rate-limit", got "admin"'],
  [{ prefix: '/admin/' }, 'BAD_OPTION', '.prefix: expected a path such as "/admin/rate-limit", got "/admin/"'],
  [{ prefix: '/:id' }, 'BAD_OPTION', '.prefix: expected a path such as "/admin/rate-limit", got "/:id"'],
  [{ onRequest: 'auth' }, 'BAD_OPTION', '.onRequest: expected an onRequest hook, or an array of them, got "auth"'],
  [{ onRequest: [] }, 'BAD_OPTION', '.onRequest: expected an onRequest hook, or an array of them, got an array of 0'],
  [{ onRequest: [onRequest, null] }, 'BAD_OPTION', '.onRequest: expected an onRequest hook, or an array of them, got an array of 2'],
  [{ onRequest: null }, 'BAD_OPTION', '.onRequest: expected an onRequest hook, or an array of them, got null'],
  [{ allow: ['office'] }, 'BAD_OPTION', '.allow[0]: expected an address or a CIDR such as "10.0.0.0/8", "loopback" or "private", got "office"'],
  [{ path: '/admin' }, 'UNKNOWN_OPTION', '.path: unknown option']
]

t.test('wrong options are errors at registration', async (t) => {
  for (const [admin, code, message] of mistakes) {
    const { app, plugin } = bareApp(t)
    const options: object = { admin }
    await t.rejects(async () => { await app.register(plugin, options) }, { code: `FST_SLUICE_${code}`, message: `rateLimit.admin${message}` })
  }
})

t.test('they cannot be moved at run time', async (t) => {
  const { app } = await limitedApp(t, { ...limit, admin: { onRequest } })
  await t.rejects(app.rateLimit.reload({ admin: { prefix: '/ops' } }), { code: 'FST_SLUICE_FIXED_OPTION', message: /^rateLimit\.admin/ })
})
