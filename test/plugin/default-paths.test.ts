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
const both = `the application has a route for ${HEALTH} and ${METRICS}, so the rate limiter does not answer there; ` +
  'set health.path and metrics.path, or set health and metrics to false'

interface Row {
  readonly why: string
  readonly declare: (app: FastifyInstance) => void
  readonly options?: RateLimitOptions
  readonly url?: string
  /** What is answered at `url`: by the application, or by the plugin. */
  readonly by: 'application' | 'plugin'
  readonly warned: readonly string[]
}

const mine = async () => 'mine'
const rows: readonly Row[] = [
  { why: 'no route', declare: () => {}, by: 'plugin', warned: [] },
  { why: 'a route for the metrics', declare: (app) => app.get(METRICS, mine), by: 'application', warned: [advice(METRICS, 'metrics')] },
  { why: 'a route for the health', declare: (app) => app.get(HEALTH, mine), url: HEALTH, by: 'application', warned: [advice(HEALTH, 'health')] },
  { why: 'routes for both', declare: (app) => app.get(METRICS, mine).get(HEALTH, mine), by: 'application', warned: [both] },
  { why: 'a route in a child scope', declare: (app) => app.register(async (child) => { child.get('/rate-limit', mine) }, { prefix: '/health' }), url: HEALTH, by: 'application', warned: [advice(HEALTH, 'health')] },
  { why: 'a route of several methods', declare: (app) => app.route({ method: ['GET', 'POST'], url: METRICS, handler: mine }), by: 'application', warned: [advice(METRICS, 'metrics')] },
  { why: 'a parametric route', declare: (app) => app.get('/:page', mine), by: 'application', warned: [advice(METRICS, 'metrics')] },
  { why: 'a wildcard route', declare: (app) => app.get('/*', mine), by: 'application', warned: [both] },
  { why: 'a route of another method', declare: (app) => app.post(METRICS, mine), by: 'plugin', warned: [] },
  { why: 'a route with a constraint', declare: (app) => app.get(METRICS, { constraints: { host: 'shop.example' } }, mine), by: 'plugin', warned: [] },
  { why: 'a route that publishes a registry of its own', declare: (app) => app.get(METRICS, mine), options: { metrics: { registry: new Registry() } }, by: 'application', warned: [] },
  { why: 'a route, and another path for the plugin', declare: (app) => app.get(METRICS, mine), options: { metrics: { path: '/limits' } }, by: 'application', warned: [] },
  { why: 'a route, and no metrics', declare: (app) => app.get(METRICS, mine), options: { metrics: false }, by: 'application', warned: [] }
]

for (const { why, declare, options, url = METRICS, by, warned } of rows) {
  for (const order of ['before', 'after'] as const) {
    t.test(`${why}, declared ${order} the plugin: the ${by} answers`, async (t) => {
      const { app, plugin } = bareApp(t)
      const messages = await captureWarnings(async () => {
        if (order === 'before') declare(app)
        await app.register(plugin, { ...limit, ...options })
        if (order === 'after') declare(app)
        await app.ready()
      })
      t.strictSame(messages, warned)
      const { mounted } = await app.rateLimit.health()
      t.equal([mounted.metrics, mounted.health].includes(url), by === 'plugin', 'health says what is mounted')
      const { statusCode, body, headers } = await app.inject(url)
      t.equal(statusCode, 200)
      if (by === 'application') {
        t.equal(body, 'mine')
        t.equal((await app.inject({ url, remoteAddress: PUBLIC })).body, 'mine', 'for every client')
      } else {
        t.match(body, 'rate_limit_')
        t.equal(headers['cache-control'], 'no-store')
      }
    })
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

async function nested (t: Test, declare: (child: FastifyInstance) => void, order: 'before' | 'after'): Promise<FastifyInstance> {
  const { app, plugin } = bareApp(t)
  await app.register(async (child) => {
    if (order === 'before') declare(child)
    await child.register(plugin, limit)
    if (order === 'after') declare(child)
  }, { prefix: '/api' })
  await app.ready()
  return app
}

t.test('below a prefix, a route that was declared before wins, and a later one is an error that names the option', async (t) => {
  const declare = (child: FastifyInstance) => { child.get(METRICS, mine) }
  let app: FastifyInstance | undefined
  t.strictSame(await captureWarnings(async () => { app = await nested(t, declare, 'before') }), [advice('/api/metrics', 'metrics')])
  t.equal((await app?.inject('/api/metrics'))?.body, 'mine')
  t.equal((await app?.inject('/api/health/rate-limit'))?.statusCode, 200)
  await t.rejects(nested(t, declare, 'after'), {
    code: 'FST_SLUICE_ROUTE_TAKEN', message: 'rateLimit.metrics.path: the application already has a route /api/metrics; set another path, or false'
  })
  t.strictSame(await captureWarnings(async () => { await nested(t, () => {}, 'after') }), [])
})
