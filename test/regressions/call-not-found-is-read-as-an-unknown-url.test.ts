// reply.callNotFound() runs the preHandler hooks of the 404 handler. With the plugin's hook there, a declared route was read
// again as an unknown URL: routes without limits were refused after their handler had run, others were charged twice.
import type { RouteHandlerMethod } from 'fastify'
import t from 'tap'
import type { RouteRateLimit } from '../../lib/index.js'
import { bareApp, limitedApp, remaining, statuses } from '../fixtures/app.js'

const HOOKS = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const
const callNotFound: RouteHandlerMethod = async (_request, reply) => reply.callNotFound()

const rows: ReadonlyArray<{ title: string, rateLimit?: RouteRateLimit | false, url?: string, method?: 'GET' | 'POST', expected: readonly number[], left: number }> = [
  { title: 'a route that is switched off', rateLimit: false, expected: [404, 404, 404, 404], left: 2 },
  { title: 'an exempt route', url: '/health', expected: [404, 404, 404, 404], left: 2 },
  { title: 'a route with its own limit', rateLimit: { max: 3 }, expected: [404, 404, 404, 429], left: 2 },
  { title: 'a route with a hook of its own', rateLimit: { max: 3, hook: 'preValidation' }, expected: [404, 404, 404, 429], left: 2 },
  { title: 'a route under the default policy', expected: [404, 404, 429, 429], left: 0 },
  { title: 'a route that costs more', rateLimit: { cost: 2 }, expected: [404, 429, 429, 429], left: 0 }
]

for (const hook of HOOKS) {
  for (const { title, rateLimit, url = '/none', expected, left } of rows) {
    t.test(`plugin in ${hook}: ${title} calls the 404 handler and is counted as itself`, async (t) => {
      const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute', hook })
      app.get(url, { config: { rateLimit } }, callNotFound)
      t.strictSame(await statuses(app, 4, url), expected)
      const standing = (await app.rateLimit.peek('ip:127.0.0.1')).find(({ scope }) => scope === 'default')
      t.equal(standing?.remaining, left)
    })
  }

  t.test(`plugin in ${hook}: unknown URLs and a 404 handler of the application are counted once`, async (t) => {
    const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute', hook })
    app.setNotFoundHandler({ preHandler: app.rateLimit() }, callNotFound)
    t.strictSame(await statuses(app, 3, '/no/such'), [404, 404, 429])
  })

  t.test(`plugin in ${hook}: the alias of a route, made by an onRoute hook, is charged once`, async (t) => {
    const { app, plugin } = bareApp(t)
    await app.register(plugin, { max: 9, timeWindow: '1 minute', hook })
    app.addHook('onRoute', (route) => {
      if (!route.url.startsWith('/v1') && route.method !== 'HEAD') app.route({ ...route, url: `/v1${route.url}` })
    })
    app.get('/items', { config: { rateLimit: { max: 5 } } }, async () => [])
    app.get('/others', async () => [])
    const lefts: number[] = []
    for (const url of ['/items', '/v1/items', '/v1/items', '/others', '/v1/others']) lefts.push(remaining(await app.inject(url)))
    t.strictSame(lefts, [4, 4, 3, 8, 7])
    const used = (await app.rateLimit.peek('ip:127.0.0.1')).map(({ max, remaining }) => max - remaining)
    t.equal(used.reduce((sum, units) => sum + units, 0), 5)
  })
}
