// An application that moves in steps has both registrations, in scopes of their own.
import t from 'tap'
import { buildFastifyRateLimit } from '../../lib/compat/build.js'
import { buildRateLimitPlugin } from '../../lib/plugin/plugin.js'
import { bareApp, remainders, statuses } from '../fixtures/app.js'
import { createRouteConfig, getDecorators } from './side-by-side.js'

t.test('the plugin decides in a scope of its own', async (t) => {
  const { app, plugin, clock } = bareApp(t)
  await app.register(buildFastifyRateLimit(plugin, clock), { max: 9 })
  app.get('/old', createRouteConfig({ max: 5, ban: 1 }), async () => 'old')
  app.register(async (scope) => {
    await scope.register(plugin, { max: 3, timeWindow: '1 minute', name: 'new' })
    scope.get('/new', createRouteConfig({ cost: 2 }), async (request) => request.rateLimit?.remaining)
  })
  t.strictSame(await remainders(app, '/old', '/new', '/no/such'), [4, 1, NaN])
  t.equal((await app.inject('/new')).headers['content-type'], 'application/problem+json; charset=utf-8')
})

t.test('the original\'s words hold in a scope of their own', async (t) => {
  const { app, plugin, clock } = bareApp(t)
  await app.register(plugin, { max: 9, timeWindow: '1 minute' })
  app.get('/new', async () => 'new')
  app.register(async (scope) => {
    await scope.register(buildFastifyRateLimit(plugin, clock), { max: 3 })
    const check = getDecorators(scope).createRateLimit({ max: 2 })
    scope.get('/old', createRouteConfig({ max: 5, ban: 1 }), async () => 'old')
    scope.get('/check', createRouteConfig(false), async (request) => (await check(request)).remaining)
  })
  t.strictSame(await remainders(app, '/old', '/new', '/old', '/no/such'), [4, 8, 3, 7])
  t.equal((await app.inject('/check')).body, '1')
})

t.test('the environment\'s limits and the plugin\'s routes are not for it', async (t) => {
  const { app, clock } = bareApp(t)
  const env = { SLUICE_MAX: '1', SLUICE_ALGORITHM: 'sliding-window', SLUICE_ENABLED: 'false' }
  await app.register(buildFastifyRateLimit(buildRateLimitPlugin(clock, env), clock), { max: 2 })
  app.get('/', async () => 'hello')
  t.strictSame(await statuses(app, 3), [200, 200, 429])
  t.equal((await app.inject('/health/rate-limit')).statusCode, 404)
})

t.test('registrations of one application on one Redis do not share names', async (t) => {
  const { app, plugin, clock } = bareApp(t)
  const names: unknown[] = []
  const compat = buildFastifyRateLimit(Object.assign((async (scope, options) => {
    names.push(options.name)
    await plugin(scope, options)
  }) as typeof plugin, { [Symbol.for('skip-override')]: true }), clock)
  await app.register(compat, {})
  await app.register(compat, {})
  await app.register(async (scope) => { await scope.register(compat, {}) }, { prefix: '/api/v1' })
  t.strictSame(names, ['compat', 'compat.2', 'compat-api-v1'])
})
