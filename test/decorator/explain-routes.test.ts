import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { RouteExplanation, RouteQuery } from '../../lib/index.js'
import { bareApp, limitedApp } from '../fixtures/app.js'

const reply = async () => 'hello'

/** The option `max` of each policy, and what else is of interest here. */
function inShort ({ isKnown, state, policies }: RouteExplanation) {
  return { isKnown, state, max: policies.map(({ options }) => options.find(({ option }) => option === 'max')?.value) }
}

function own (max: number) {
  return { config: { rateLimit: { max, timeWindow: '1s' } } }
}

t.test('routes that differ by their constraints are told apart by them', async (t) => {
  const { app } = await limitedApp(t, {})
  app.get('/v', { ...own(1), constraints: { version: '1.0.0' } }, reply)
  app.get('/v', { ...own(2), constraints: { version: '2.0.0' } }, reply)
  app.get('/host', { ...own(3), constraints: { host: /^a\./ } }, reply)
  app.get('/plain', own(4), reply)
  app.get('/plain', { ...own(5), constraints: { version: '1.0.0' } }, reply)
  const explain = (url: string, constraints?: RouteQuery['constraints']) => app.rateLimit.explain({ method: 'GET', url, constraints })

  t.strictSame(inShort(explain('/v', { version: '1.0.0' })), { isKnown: true, state: 'limited', max: [1] })
  t.strictSame(inShort(explain('/v', { version: '2.0.0' })), { isKnown: true, state: 'limited', max: [2] })
  t.throws(() => explain('/v'), { code: 'FST_SLUICE_BAD_OPTION', message: /^rateLimit\.explain\.constraints: expected the constraints of one of the 2 routes GET \/v/ })
  t.strictSame(inShort(explain('/v', { version: '9.0.0' })), { isKnown: false, state: 'limited', max: [1000] }, 'no route has these')
  t.match(explain('/v', { version: '1.x' }), { isKnown: false, state: 'not known', note: /constraints/ }, 'the router knows what is meant')
  t.strictSame(inShort(explain('/host')), { isKnown: true, state: 'limited', max: [3] }, 'there is only one')
  t.strictSame(explain('/host').constraints, { host: '/^a\\./' })
  t.strictSame(inShort(explain('/plain')), { isKnown: true, state: 'limited', max: [4] })
  t.strictSame(inShort(explain('/plain', { version: '1.0.0' })), { isKnown: true, state: 'limited', max: [5] })
})

t.test('HEAD with a config of its own is a route of its own', async (t) => {
  const { app } = await limitedApp(t, {}, { exposeHeadRoutes: false })
  app.head('/both', { config: { rateLimit: false } }, reply)
  app.get('/both', own(2), reply)
  app.get('/get', own(3), reply)
  t.match(app.rateLimit.explain('HEAD /both'), { isKnown: true, state: 'off' })
  t.strictSame(inShort(app.rateLimit.explain('GET /both')).max, [2])
  t.strictSame(inShort(app.rateLimit.explain('HEAD /get')), { isKnown: false, state: 'limited', max: [1000] }, 'as it is answered: with 404')
})

t.test('a route from before the plugin is known once it was asked for', async (t) => {
  const { app, plugin } = bareApp(t)
  app.get('/early/:id', own(2), reply)
  app.get('/early/:id(^\\d+$)/digits', own(3), reply)
  app.get('/wrong', { config: { rateLimit: { max: -1 } } }, reply)
  await app.register(plugin, { max: 5 })
  for (const asked of ['GET /early/:id', 'GET /early/1', 'GET /early/:id(^\\d+$)/digits', 'GET /wrong']) {
    t.match(app.rateLimit.explain(asked), { isKnown: false, state: 'not known', policies: [], note: /before the rate limiter was loaded/ }, asked)
  }
  for (const url of ['/early/1', '/early/1/digits', '/wrong']) await app.inject(url)
  for (const asked of ['GET /early/:id', 'HEAD /early/:id', 'GET /early/2']) {
    t.strictSame(inShort(app.rateLimit.explain(asked)), { isKnown: true, state: 'limited', max: [2] }, asked)
  }
  t.match(app.rateLimit.explain('GET /early/:id'), { method: 'GET', url: '/early/:id', constraints: null, policies: [{ name: 'route:GET /early/:id', hook: 'onRequest' }] })
  t.strictSame(inShort(app.rateLimit.explain('GET /early/:id(^\\d+$)/digits')).max, [3])
  t.match(app.rateLimit.explain('GET /wrong'), { isKnown: true, state: 'misconfigured', policies: [], note: 'GET /wrong config.rateLimit.max: expected an integer from 0 to 4294967295, got -1' })

  await app.rateLimit.reload({ rules: [{ name: 'new', match: '/early/*', override: true, max: 7, timeWindow: '1s' }] })
  t.strictSame(inShort(app.rateLimit.explain('GET /early/:id')).max, [7])
})

t.test('the hook that is told is the one in which a request is counted', async (t) => {
  const { app, plugin } = bareApp(t)
  app.get('/early', { config: { rateLimit: { hook: 'preHandler' } } }, reply)
  await app.register(plugin, { rules: [{ name: 'all', match: '/*', hook: 'preParsing' }] })
  app.get('/late', reply)
  process.once('warning', () => {})
  await app.inject('/early')
  const hookOf = (asked: string) => app.rateLimit.explain(asked).policies.map(({ hook, options }) => [hook, options.find(({ option }) => option === 'hook')?.value])
  t.strictSame(hookOf('GET /early'), [['onRequest', 'preHandler']])
  t.strictSame(hookOf('GET /late'), [['preParsing', 'preParsing']])
  t.strictSame(hookOf('GET /no/such'), [['onRequest', 'preParsing']])
})

t.test('routes and unknown URLs are explained by the registration that decides', async (t) => {
  const { app, plugin } = bareApp(t)
  await app.register(plugin, { max: 5 })
  let inner: FastifyInstance = app
  app.register(async (child) => {
    await child.register(plugin, { max: 7 })
    child.get('/users', reply)
    inner = child
  }, { prefix: '/api' })
  app.get('/outer', reply)
  await app.ready()
  t.strictSame(inShort(inner.rateLimit.explain('GET /api/users')), { isKnown: true, state: 'limited', max: [7] })
  t.match(app.rateLimit.explain('GET /api/users'), { isKnown: false, state: 'not known', note: /belongs to another registration/ })
  t.match(inner.rateLimit.explain('GET /outer'), { isKnown: false, state: 'not known', note: /belongs to another registration/ })
  t.match(inner.rateLimit.explain('GET /no/such'), { isKnown: false, state: 'not known', note: /registration at the root/ })
  t.match(app.rateLimit.explain('GET /no/such'), { isKnown: false, state: 'limited', note: /unknown URL/ })
})

const spellings: ReadonlyArray<readonly [server: object, asked: string, isKnown: boolean]> = [
  [{}, 'GET /Login', false],
  [{ routerOptions: { caseSensitive: false } }, 'GET /Login', true],
  [{}, 'GET /login/', false],
  [{ routerOptions: { ignoreTrailingSlash: true } }, 'GET /login/', true],
  [{ routerOptions: { ignoreDuplicateSlashes: true } }, 'GET //login', true],
  [{}, 'GET /log%69n', true]
]

for (const [server, asked, isKnown] of spellings) {
  t.test(`${asked} is ${isKnown ? 'the route' : 'unknown'} to a router with ${JSON.stringify(server)}`, async (t) => {
    const { app } = await limitedApp(t, { max: 5 }, server)
    app.get('/login', own(2), reply)
    t.strictSame(inShort(app.rateLimit.explain(asked)), { isKnown, state: 'limited', max: [isKnown ? 2 : 5] })
    const { headers } = await app.inject(asked.slice(4))
    t.equal(headers['x-ratelimit-limit'], isKnown ? '2' : '5', 'as it is counted')
  })
}

t.test('to explain changes nothing', async (t) => {
  const { app } = await limitedApp(t, { max: 5, rules: [{ name: 'a', match: '/a', max: 2, timeWindow: '1s' }] })
  app.get('/:x', { config: { rateLimit: { cost: 1 } } }, reply)
  const before = await app.rateLimit.peek('ip:127.0.0.1')
  for (const asked of ['GET /', 'GET /:x', 'GET /a', 'POST /nothing']) app.rateLimit.explain(asked)
  app.rateLimit.explain()
  t.strictSame(await app.rateLimit.peek('ip:127.0.0.1'), before)
})
