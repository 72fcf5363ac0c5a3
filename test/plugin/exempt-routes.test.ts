import type { FastifyInstance, InjectOptions } from 'fastify'
import t from 'tap'
import { bareApp, limitedApp, remainders } from '../fixtures/app.js'

const routes = [
  '/health', '/healthz', '/livez', '/readyz', '/status', '/metrics', '/health/x', '/docs', '/docs/', '/docs/:page', '/docs/static/*', '/documentation', '/documentation/json',
  '/docstrings', '/healthy', '/v1/health', '/metrics/x', '/status/x', '/docs-old'
]

function declare (app: FastifyInstance, urls: readonly string[] = routes): void {
  for (const url of urls) app.get(url, async () => url)
}

const head = (url: string): InjectOptions => ({ method: 'HEAD', url })
const post = (url: string): InjectOptions => ({ method: 'POST', url })

t.test('GET and HEAD of health, metrics and documentation are exempt without being asked', async (t) => {
  const { app } = await limitedApp(t, { metrics: false, max: 100 })
  declare(app)
  for (const url of ['/health', '/healthz', '/livez', '/readyz', '/status', '/metrics', '/health/x', '/docs', '/docs/', '/docs/api', '/docs/static/a/b', '/documentation', '/documentation/json']) {
    for (const request of [url, head(url)]) {
      const response = await app.inject(request)
      t.equal(response.statusCode, 200)
      t.equal(response.headers['x-ratelimit-limit'], undefined, `${url} carries no headers`)
    }
  }
  t.strictSame(await remainders(app, '/'), [99], 'and takes nothing')
})

t.test('what only looks alike is counted', async (t) => {
  const { app } = await limitedApp(t, { metrics: false, max: 100 })
  declare(app)
  t.strictSame(await remainders(app, '/docstrings', '/healthy', '/v1/health', '/metrics/x', '/status/x', '/docs-old'), [99, 98, 97, 96, 95, 94])
})

t.test('other methods are counted, also those of a route that reads too', async (t) => {
  const { app } = await limitedApp(t, { metrics: false, max: 100 })
  app.post('/health', async () => 'noted')
  app.route({ method: ['GET', 'POST'], url: '/docs/search', handler: async () => 'found' })
  t.strictSame(await remainders(app, post('/health'), post('/docs/search'), '/docs/search'), [99, 98, 97])
})

t.test('an unknown URL is counted, whatever it begins with', async (t) => {
  const { app } = await limitedApp(t, { metrics: false, max: 100 })
  declare(app, ['/docs/'])
  t.strictSame(await remainders(app, '/docs/none', '/health', '/documentation/x', head('/metrics'), post('/docs/')), [99, 98, 97, 96, 95])
})

t.test('an unknown URL of a child scope with a handler of its own is counted', async (t) => {
  const { app } = await limitedApp(t, { metrics: false, max: 100 })
  app.register(async (child) => {
    child.get('/', async () => 'docs')
    child.setNotFoundHandler(async (_request, reply) => reply.code(404).send('no such page'))
  }, { prefix: '/docs' })
  const response = await app.inject('/docs/none')
  t.strictSame([response.statusCode, response.body, response.headers['x-ratelimit-remaining']], [404, 'no such page', '99'])
  t.strictSame(await remainders(app, '/docs', '/docs/none'), [NaN, 98])
})

t.test('a route with a config or a rule of its own is not exempt', async (t) => {
  const { app } = await limitedApp(t, { metrics: false, max: 100, rules: [{ name: 'metrics', match: '/metrics', max: 20 }, { name: 'private', match: '/docs/private', max: 30 }, { name: 'all', match: '/livez', cost: 2 }] })
  declare(app, ['/metrics', '/docs/:page', '/livez'])
  app.get('/health', { config: { rateLimit: { max: 10 } } }, async () => 'own')
  app.get('/healthz', { config: { rateLimit: { cost: 2 } } }, async () => 'costly')
  app.get('/readyz', { config: { rateLimit: false } }, async () => 'off')
  t.strictSame(await remainders(app, '/health', '/metrics', '/docs/private', '/docs/public', '/readyz'), [9, 19, 29, NaN, NaN])
  t.strictSame(await remainders(app, '/healthz', '/livez'), [98, 96], 'the default buckets are charged')
})

t.test('no spelling makes a counted route an exempt one', async (t) => {
  const { app } = await limitedApp(t, { metrics: false, max: 100, rules: [{ name: 'private', match: '/docs/private/*', max: 10 }] }, { routerOptions: { caseSensitive: false, ignoreDuplicateSlashes: true } })
  declare(app, ['/docs/*', '/:any'])
  t.strictSame(await remainders(app, '/docs/private/a', '/docs//private', '/DOCS/%50rivate/a', '/docs/x%2f..%2fprivate/a', '/docs%2fpublic', '/health%7A'), [9, 8, 7, 6, 99, 98])
})

t.test('a list of one\'s own replaces the built-in one, for every method', async (t) => {
  const { app } = await limitedApp(t, { metrics: false, max: 100, exempt: { routes: ['/status', '/hooks/*'] } })
  declare(app, ['/status', '/health', '/docs'])
  app.post('/hooks/:name', async () => 'hooked')
  t.strictSame(await remainders(app, '/status', post('/hooks/a'), '/health', '/docs', '/hooks/none/x'), [NaN, NaN, 99, 98, 97])
})

t.test('an empty list exempts nothing', async (t) => {
  const { app } = await limitedApp(t, { metrics: false, max: 100, exempt: { routes: [] } })
  declare(app, ['/health', '/docs'])
  t.strictSame(await remainders(app, '/health', '/docs'), [99, 98])
})

t.test('routes that were declared before the plugin are exempt as well', async (t) => {
  const { app, plugin } = bareApp(t)
  declare(app, ['/health', '/healthy'])
  app.register(plugin, { metrics: false, max: 100 })
  t.strictSame(await remainders(app, '/health', head('/health'), '/healthy'), [NaN, NaN, 99])
})

t.test('an exempt route below a prefix is meant by its whole path', async (t) => {
  const { app } = await limitedApp(t, { metrics: false, max: 100 })
  app.register(async (child) => { declare(child, ['/', '/health']) }, { prefix: '/docs' })
  app.register(async (child) => { declare(child, ['/health', '/docs']) }, { prefix: '/v1' })
  t.strictSame(await remainders(app, '/docs', '/docs/', '/docs/health', '/v1/health', '/v1/docs'), [NaN, NaN, NaN, 99, 98])
})

/** What was logged about exempt routes until the application was ready. */
async function exemptLog (options: Parameters<typeof limitedApp>[1], urls: readonly string[]): Promise<unknown[]> {
  const lines: unknown[] = []
  const stream = { write: (line: string) => { lines.push(JSON.parse(line)) } }
  const { app } = await limitedApp(t, { metrics: false, ...options }, { logger: { level: 'info', stream } })
  declare(app, urls)
  await app.ready()
  await app.inject(urls[0] ?? '/')
  return lines.filter((line) => typeof line === 'object' && line !== null && 'routes' in line)
}

t.test('what is exempt is logged once at the start', async (t) => {
  const lines = await exemptLog({ max: 100, health: false, rules: [{ name: 'metrics', match: '/metrics' }] }, ['/health', '/docs/:page', '/metrics', '/other'])
  t.match(lines, [{ level: 30, msg: 'rate limit: routes that are exempt' }])
  t.strictSame(new Set(lines.flatMap((line) => Object(line).routes)), new Set(['GET /health', 'GET /docs/:page']))
})

t.test('where nothing is exempt nothing is logged', async (t) => {
  t.strictSame(await exemptLog({ max: 100, health: false }, ['/other']), [])
  t.strictSame(await exemptLog({ max: 100, health: false, exempt: { routes: [] } }, ['/health']), [])
  t.strictSame(await exemptLog({ max: 100, health: false, global: false }, ['/health']), [])
})

t.test('a route to exempt that is no pattern is told of with its place', async (t) => {
  const { app, plugin } = bareApp(t)
  const error = await app.register(plugin, { exempt: { routes: ['/a', 'b'] } }).then(() => null, (error) => error)
  t.equal(error?.message, 'rateLimit.exempt.routes[1]: expected a pattern such as "/api/*/reports" (a pattern begins with "/"), got "b"')
})
