// A route's config and a rule together: the limits are the rule's, what else the route says holds too.
import t from 'tap'
import { bareApp, limitedApp, remainders, statuses } from '../fixtures/app.js'

const rules = [{ name: 'api', match: '/api/*', max: 10, timeWindow: '1 hour' }]

t.test('a cost of its own takes no route out of its rule', async (t) => {
  const { app } = await limitedApp(t, { rules })
  app.get('/api/light', async () => 'light')
  app.get('/api/heavy', { config: { rateLimit: { cost: 5 } } }, async () => 'heavy')
  app.get('/api/own', { config: { rateLimit: { max: 3, timeWindow: '1 hour' } } }, async () => 'own')
  app.get('/api/off', { config: { rateLimit: false } }, async () => 'off')
  t.strictSame(await remainders(app, '/api/light', '/api/heavy', '/api/own'), [9, 4, 2])
  t.strictSame(await statuses(app, 1, '/api/heavy'), [429])
  t.equal((await app.inject('/api/off')).headers['x-ratelimit-limit'], undefined)
})

t.test('a rule that overrides replaces the limits of a route, not its cost, unless it has one', async (t) => {
  const override = { ...rules[0], override: true }
  const own = { config: { rateLimit: { max: 3, timeWindow: '1 hour', cost: 2 } } }
  const { app } = await limitedApp(t, { rules: [override, { ...override, name: 'dear', match: '/dear/*', cost: 4 }] })
  app.get('/api/own', own, async () => 'own')
  app.get('/dear/own', own, async () => 'own')
  t.strictSame(await remainders(app, '/api/own', '/dear/own'), [8, 6])
})

t.test('a route of several methods that was declared before the plugin keeps its rules and is not exempt by one of them', async (t) => {
  const { app, plugin } = bareApp(t)
  for (const url of ['/login', '/health']) app.route({ method: ['GET', 'POST'], url, handler: async () => 'hello' })
  await app.register(plugin, { max: 50, timeWindow: '1 hour', rules: [{ name: 'login', match: '/login', methods: ['POST'], max: 1, timeWindow: '1 hour' }] })
  t.strictSame(await statuses(app, 2, { method: 'POST', url: '/login' }), [200, 429])
  t.equal((await app.inject({ method: 'POST', url: '/health' })).headers['x-ratelimit-limit'], '50')
})

t.test('limits of a route never come with the shadow mode of the limits that they replace', async (t) => {
  const { app } = await limitedApp(t, { limits: [{ name: 'trial', max: 5, timeWindow: '1 hour', mode: 'shadow' }] })
  app.get('/sms', { config: { rateLimit: { max: 1, timeWindow: '1 hour' } } }, async () => 'sent')
  app.get('/less', { config: { rateLimit: { max: 1 } } }, async () => 'less')
  t.strictSame(await statuses(app, 2, '/sms'), [200, 429])
  t.strictSame(await statuses(app, 2, '/less'), [200, 429])
})

t.test('two penalties for one set of buckets are refused', async (t) => {
  const { app } = await limitedApp(t, { penalty: { strikes: 2 } })
  t.throws(() => app.get('/a', { config: { rateLimit: { penalty: { strikes: 50 } } } }, async () => 'a'), { code: 'FST_SLUICE_UNEQUAL_LIMITS' })
  app.get('/b', { config: { rateLimit: { penalty: false } } }, async () => 'b')
  app.get('/c', { config: { rateLimit: { penalty: { strikes: 50 }, max: 5, timeWindow: '1s' } } }, async () => 'c')
})
