import t from 'tap'
import { bareApp, limitedApp, remainders, statuses } from '../fixtures/app.js'

t.test('every route and every unknown URL shares the default policy', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  app.get('/other', async () => 'other')
  app.post('/other', async () => 'other')
  t.strictSame(await remainders(app, '/', '/other', { method: 'POST', url: '/other' }, '/no/such', '/no/other'), [4, 3, 2, 1, 0])
  t.equal((await app.inject('/no/such')).statusCode, 429)
})

t.test('an unknown URL is counted once, also by a handler of its own', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  app.setNotFoundHandler((_request, reply) => { reply.code(404).send({ nothing: 'here' }) })
  t.strictSame(await remainders(app, '/no/such', { method: 'DELETE', url: '/' }), [4, 3])
})

t.test('a method that a route does not have is counted', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  t.strictSame(await remainders(app, { method: 'OPTIONS', url: '/' }, { method: 'PUT', url: '/' }), [4, 3])
})

t.test('routes declared before the plugin was loaded are limited', async (t) => {
  const { app, plugin } = bareApp(t)
  app.get('/before', async () => 'before')
  app.register(plugin, { max: 5, timeWindow: '1 minute' })
  app.get('/after', async () => 'after')
  t.strictSame(await remainders(app, '/before', '/after', '/before'), [4, 3, 2])
})

t.test('routes in child scopes are limited, whether declared before or after', async (t) => {
  const { app, plugin } = bareApp(t)
  app.register(async (child) => { child.get('/before', async (request) => String(request.rateLimit?.remaining)) })
  app.register(plugin, { max: 5, timeWindow: '1 minute' })
  app.register(async (child) => {
    child.register(async (grandchild) => { grandchild.get('/after', async () => 'after') })
  })
  t.strictSame(await remainders(app, '/before', '/after'), [4, 3])
  t.equal((await app.inject('/before')).body, '2')
})

t.test('global: false counts only routes with limits of their own', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute', global: false })
  app.get('/limited', { config: { rateLimit: { max: 2 } } }, async () => 'limited')
  app.get('/inheriting', { config: { rateLimit: {} } }, async () => 'inheriting')
  t.strictSame(await remainders(app, '/', '/no/such', '/limited', '/inheriting'), [NaN, NaN, 1, 4])
})

t.test('config.rateLimit: false switches a route off', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 minute' })
  app.get('/off', { config: { rateLimit: false } }, async (request) => request.rateLimit === null ? 'null' : 'counted')
  t.strictSame(await statuses(app, 3, '/off'), [200, 200, 200])
  t.equal((await app.inject('/off')).body, 'null')
  t.strictSame(await remainders(app, '/off', '/'), [NaN, 0])
})

t.test('enabled: false lets everything pass uncounted', async (t) => {
  const { app } = await limitedApp(t, { max: 0, timeWindow: '1 minute', enabled: false })
  app.get('/own', { config: { rateLimit: { max: 0 } }, preHandler: app.rateLimit() }, async (request) => String(request.rateLimit))
  t.strictSame(await statuses(app, 2, '/'), [200, 200])
  const response = await app.inject('/own')
  t.equal(response.body, 'null')
  t.notHas(response.headers, { 'x-ratelimit-limit': String })
  t.equal(await app.inject('/no/such').then((answer) => answer.statusCode), 404)
})

t.test('nothing said limits to 1000 a minute and client', async (t) => {
  const { app } = await limitedApp(t, {})
  const { headers } = await app.inject('/')
  t.equal(headers['x-ratelimit-limit'], '1000')
  t.equal(headers['x-ratelimit-remaining'], '999')
})
