// The default paths of metrics and health are no routes, so a route of the application is never in conflict with them.
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { bareApp, limitedApp, remainders, statuses, type TestApp } from '../fixtures/app.js'

const METRICS = '/metrics'
const HEALTH = '/health/rate-limit'
const WARNING = 'FST_SLUICE_WARN_DEFAULT_PATH_TAKEN'
const PUBLIC = '203.0.113.9'
const limit = { max: 100, timeWindow: '1 minute' } as const

/** The warnings of default paths until an application is ready. */
async function captureWarnings (start: () => Promise<unknown>): Promise<string[]> {
  const messages: string[] = []
  const record = (warning: Error & { code?: string }) => { if (warning.code === WARNING) messages.push(warning.message) }
  process.on('warning', record)
  try {
    await start()
    // A warning is emitted in a later turn.
    await new Promise(setImmediate)
  } finally {
    process.off('warning', record)
  }
  return messages
}

const advice = (url: string, option: string) => `the application has a route for ${url}, so the rate limiter does not answer there; set ${option}.path, or set ${option} to false`
const adviceOnBoth = (prefix: string) => `the application has a route for ${prefix}${HEALTH} and ${prefix}${METRICS}, so the rate limiter does not answer there; ` +
  'set health.path and metrics.path, or set health and metrics to false'

interface Row {
  readonly why: string
  readonly declare: (app: FastifyInstance) => void
  readonly options?: RateLimitOptions
  readonly url?: string
  /** What is answered at `url`: by the application, or by the plugin. */
  readonly by: 'application' | 'plugin'
  /** For which default paths there is a warning, all in one. */
  readonly warned: ReadonlyArray<typeof METRICS | typeof HEALTH>
}

const mine = async () => 'mine'
const rows: readonly Row[] = [
  { why: 'no route', declare: () => {}, by: 'plugin', warned: [] },
  { why: 'a route for the metrics', declare: (app) => app.get(METRICS, mine), by: 'application', warned: [METRICS] },
  { why: 'a route for the health', declare: (app) => app.get(HEALTH, mine), url: HEALTH, by: 'application', warned: [HEALTH] },
  { why: 'routes for both', declare: (app) => app.get(METRICS, mine).get(HEALTH, mine), by: 'application', warned: [HEALTH, METRICS] },
  { why: 'a route in a child scope', declare: (app) => app.register(async (child) => { child.get('/rate-limit', mine) }, { prefix: '/health' }), url: HEALTH, by: 'application', warned: [HEALTH] },
  { why: 'a route of several methods', declare: (app) => app.route({ method: ['GET', 'POST'], url: METRICS, handler: mine }), by: 'application', warned: [METRICS] },
  { why: 'a parametric route', declare: (app) => app.get('/:page', mine), by: 'application', warned: [METRICS] },
  { why: 'a wildcard route', declare: (app) => app.get('/*', mine), by: 'application', warned: [HEALTH, METRICS] },
  { why: 'a route of another method', declare: (app) => app.post(METRICS, mine), by: 'plugin', warned: [] },
  { why: 'a route with a constraint', declare: (app) => app.get(METRICS, { constraints: { host: 'shop.example' } }, mine), by: 'plugin', warned: [] },
  { why: 'a route that publishes a registry of its own', declare: (app) => app.get(METRICS, mine), options: { metrics: { registry: new Registry() } }, by: 'application', warned: [] },
  { why: 'a route, and another path for the plugin', declare: (app) => app.get(METRICS, mine), options: { metrics: { path: '/limits' } }, by: 'application', warned: [] },
  { why: 'a route, and no metrics', declare: (app) => app.get(METRICS, mine), options: { metrics: false }, by: 'application', warned: [] }
]

function findAdvice (warned: Row['warned'], prefix: string): string[] {
  if (warned.length > 1) return [adviceOnBoth(prefix)]
  return warned.map((url) => advice(prefix + url, url === METRICS ? 'metrics' : 'health'))
}

for (const { why, declare, options, url = METRICS, by, warned } of rows) {
  for (const order of ['before', 'after'] as const) {
    for (const prefix of ['', '/api', '/api/v1']) {
      t.test(`${why}, declared ${order} the plugin below "${prefix}": the ${by} answers`, async (t) => {
        const { app, plugin } = bareApp(t)
        let scope: FastifyInstance = app
        const mount = async (instance: FastifyInstance) => {
          scope = instance
          if (order === 'before') declare(instance)
          await instance.register(plugin, { ...limit, ...options })
          if (order === 'after') declare(instance)
        }
        const messages = await captureWarnings(async () => {
          if (prefix === '') await mount(app)
          else if (prefix === '/api') await app.register(mount, { prefix })
          else await app.register(async (api) => { await api.register(mount, { prefix: '/v1' }) }, { prefix: '/api' })
          await app.ready()
        })
        t.strictSame(messages, findAdvice(warned, prefix))
        const { mounted } = await scope.rateLimit.health()
        t.equal([mounted.metrics, mounted.health].includes(prefix + url), by === 'plugin', 'health says what is mounted')
        const { statusCode, body, headers } = await app.inject(prefix + url)
        t.equal(statusCode, 200)
        if (by === 'application') {
          t.equal(body, 'mine')
          t.equal((await app.inject({ url: prefix + url, remoteAddress: PUBLIC })).body, 'mine', 'for every client')
        } else {
          t.match(body, 'rate_limit_')
          t.equal(headers['cache-control'], 'no-store')
        }
      })
    }
  }
}

const servers: readonly FastifyServerOptions[] = [
  {}, { routerOptions: { ignoreTrailingSlash: true } }, { routerOptions: { ignoreDuplicateSlashes: true } }, { routerOptions: { caseSensitive: false } },
  { routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, caseSensitive: false } }, { ignoreTrailingSlash: true, caseSensitive: false, useSemicolonDelimiter: true },
  { exposeHeadRoutes: true }
]
const spellings = ['', '?a=/b', '#a', '/', '//', '/x', '%20', '%2f', '%', ';a=b', ' ']
const paths = [METRICS, HEALTH, '//metrics', '/METRICS', '/health//rate-limit', '/health%2Frate-limit', '/%6detrics', '/%256detrics', '/m%65tric%73', 'http://example.com/metrics', '/metric', '/./metrics']

t.test('each spelling is answered as by a route, and no other', async (t) => {
  for (const server of servers) {
    const plain = await limitedApp(t, limit, server)
    const routed = await limitedApp(t, { ...limit, metrics: { path: METRICS }, health: { path: HEALTH } }, server)
    const answer = async ({ app }: TestApp, method: 'GET' | 'HEAD' | 'POST', url: string) => {
      const { statusCode, headers } = await app.inject({ method, url })
      return `${statusCode} ${String(headers['content-type'])} ${String(headers['cache-control'])}`
    }
    for (const path of paths) {
      for (const end of spellings) {
        for (const method of ['GET', 'HEAD', 'POST'] as const) {
          const expected = await answer(routed, method, path + end)
          t.equal(await answer(plain, method, path + end), expected, `${method} ${path}${end} ${JSON.stringify(server)}`)
        }
      }
    }
  }
})

t.test('an answer is not counted; what others ask for is an unknown URL', async (t) => {
  const { app } = await limitedApp(t, limit)
  const by = (url: string) => ({ url, remoteAddress: PUBLIC })
  t.strictSame(await remainders(app, METRICS, HEALTH, { method: 'HEAD', url: METRICS }, '/'), [NaN, NaN, NaN, 99])
  t.strictSame(await remainders(app, by(METRICS), by(HEALTH)), [99, 98])
  t.strictSame(await statuses(app, 1, by(METRICS)), [404])
})

for (const options of [{ enabled: false }, { global: false }, { hook: 'preHandler' }, { rules: [{ name: 'all', match: '/*', max: 1 }] }] satisfies RateLimitOptions[]) {
  t.test(`it is answered with ${JSON.stringify(options)}`, async (t) => {
    const { app } = await limitedApp(t, { ...limit, ...options })
    t.strictSame([...await statuses(app, 2, METRICS), ...await statuses(app, 2, HEALTH)], [200, 200, 200, 200])
  })
}

t.test('hooks before the plugin and an unknown-URL handler of the application stay in force', async (t) => {
  const { app, plugin } = bareApp(t)
  app.setNotFoundHandler({ preHandler: async () => { throw new Error('not reached') } }, async () => 'nothing here')
  app.addHook('onRequest', async ({ headers }, reply) => { if (headers.password === undefined) await reply.code(401).send() })
  await app.register(plugin, limit)
  t.strictSame(await statuses(app, 1, METRICS), [401])
  t.equal((await app.inject({ url: METRICS, headers: { password: 'x' } })).statusCode, 200)
})

t.test('an error of the registry gets to the error handler', async (t) => {
  const { app } = await limitedApp(t, limit)
  app.setErrorHandler((error, _request, reply) => reply.code(500).send(`handled: ${String(error)}`))
  const { metrics } = app.rateLimit
  if (metrics !== null) metrics.metrics = async () => { throw new Error('a collector failed') }
  t.match(await app.inject(METRICS), { statusCode: 500, body: 'handled: Error: a collector failed' })
})

t.test('explain says that the plugin answers', async (t) => {
  const { app } = await limitedApp(t, limit)
  await app.ready()
  for (const url of [METRICS, HEALTH]) t.match(app.rateLimit.explain(`GET ${url}`), { isKnown: false, state: 'off', policies: [], note: /the rate limiter answers it by default/ })
  t.match(app.rateLimit.explain(`POST ${METRICS}`), { state: 'limited' })
})

/** The application limits `GET /api/` below a prefix, and what `declare` adds to the root scope. */
async function nestedApp (t: Test, declare: (app: FastifyInstance, plugin: TestApp['plugin']) => Promise<void> | void): Promise<FastifyInstance> {
  const { app, plugin } = bareApp(t)
  await app.register(async (child) => {
    await child.register(plugin, limit)
    child.get('/', mine)
  }, { prefix: '/api' })
  await declare(app, plugin)
  await app.ready()
  return app
}

t.test('below a prefix: a parametric route of the root scope wins, with one warning', async (t) => {
  let app: FastifyInstance | undefined
  const messages = await captureWarnings(async () => { app = await nestedApp(t, (root) => { root.get('/:area/:page', mine) }) })
  t.strictSame(messages, [advice('/api/metrics', 'metrics')])
  t.equal((await app?.inject('/api/metrics'))?.body, 'mine')
  t.equal((await app?.inject('/api/health/rate-limit'))?.statusCode, 200)
})

t.test('below a prefix: default paths are answered with unknown-URL handlers of the root, of the scope, and between', async (t) => {
  const handler = (_request: unknown, reply: { code (status: number): { send (text: string): void } }) => { reply.code(404).send('nothing here') }
  for (const where of ['none', 'root', 'between', 'scope']) {
    const { app, plugin } = bareApp(t)
    if (where === 'root') app.setNotFoundHandler(handler)
    await app.register(async (api) => {
      if (where === 'between') api.setNotFoundHandler(handler)
      await api.register(async (v1) => {
        if (where === 'scope') v1.setNotFoundHandler(handler)
        await v1.register(plugin, limit)
      }, { prefix: '/v1' })
    }, { prefix: '/api' })
    t.strictSame(await statuses(app, 1, `/api/v1${METRICS}`), [200], where)
    t.strictSame(await statuses(app, 1, `/api/v1${HEALTH}`), [200], where)
    t.strictSame(await statuses(app, 1, { url: `/api/v1${METRICS}`, remoteAddress: PUBLIC }), [404], where)
    t.strictSame(await statuses(app, 1, METRICS), [404], where)
  }
})

t.test('below a prefix: a registration of the root scope does not count them, and each has its own', async (t) => {
  for (const order of ['before', 'after'] as const) {
    const { app, plugin } = bareApp(t)
    const nest = async () => { await app.register(async (child) => { await child.register(plugin, limit) }, { prefix: '/api' }) }
    if (order === 'before') await nest()
    await app.register(plugin, { ...limit, name: 'root' })
    if (order === 'after') await nest()
    app.get('/', mine)
    // The metrics of all registrations are at the path of the first.
    const metrics = order === 'before' ? '/api/metrics' : METRICS
    t.strictSame(await remainders(app, metrics, HEALTH, '/api/health/rate-limit', '/'), [NaN, NaN, NaN, 99], order)
  }
})

t.test('below a prefix: explain says that the plugin answers, and hooks of the root scope stay in force', async (t) => {
  let child: FastifyInstance | undefined
  const { app, plugin } = bareApp(t)
  app.addHook('onRequest', async ({ headers }, reply) => { if (headers.password === undefined) await reply.code(401).send() })
  await app.register(async (instance) => {
    child = instance
    await instance.register(plugin, limit)
  }, { prefix: '/api' })
  await app.ready()
  t.match(child?.rateLimit.explain('GET /api/metrics'), { isKnown: false, state: 'off', note: /the rate limiter answers it by default/ })
  t.strictSame(await statuses(app, 1, '/api/metrics'), [401])
  t.equal((await app.inject({ url: '/api/metrics', headers: { password: 'x' } })).statusCode, 200)
})
