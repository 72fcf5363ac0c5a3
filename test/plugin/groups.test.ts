import t from 'tap'
import { bareApp, limitedApp, remainders, statuses } from '../fixtures/app.js'

t.test('routes with one groupId share one bucket', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute' })
  const config = { rateLimit: { max: 3, groupId: 'search' } }
  app.get('/one', { config }, async () => 'one')
  app.post('/two', { config: { rateLimit: { max: 3, timeWindow: 60_000, groupId: 'search' } } }, async () => 'two')
  t.strictSame(await remainders(app, '/one', { method: 'POST', url: '/two' }, '/one'), [2, 1, 0])
  t.strictSame(await statuses(app, 1, { method: 'POST', url: '/two' }), [429])
  t.strictSame(await remainders(app, '/'), [8], 'the default policy is not touched')
})

t.test('a group without limits of its own has the inherited ones, in a bucket of its own', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute' })
  app.get('/one', { config: { rateLimit: { groupId: 'search' } } }, async () => 'one')
  app.get('/two', { config: { rateLimit: { groupId: 'search' } } }, async () => 'two')
  t.strictSame(await remainders(app, '/one', '/two', '/'), [8, 7, 8])
})

t.test('two groups are apart', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute' })
  app.get('/one', { config: { rateLimit: { groupId: 'search' } } }, async () => 'one')
  app.get('/two', { config: { rateLimit: { groupId: 'search:' } } }, async () => 'two')
  t.strictSame(await remainders(app, '/one', '/two'), [8, 8])
})

t.test('limits of routes are apart from one another and from the default', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute' })
  const config = { rateLimit: { max: 3 } }
  app.get('/one', { config }, async () => 'one')
  app.get('/two', { config }, async () => 'two')
  app.post('/one', { config }, async () => 'one')
  t.strictSame(await remainders(app, '/one', '/two', { method: 'POST', url: '/one' }, '/', '/one'), [2, 2, 2, 8, 1])
})

t.test('routes of one URL that differ by host or version are apart', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute' })
  const config = { rateLimit: { max: 3 } }
  app.get('/x', { config }, async () => 'any')
  app.get('/x', { config, constraints: { host: 'a.test' } }, async () => 'a')
  app.get('/x', { config: { rateLimit: { max: 5 } }, constraints: { host: /^b/ } }, async () => 'b')
  app.get('/x', { config, constraints: { version: '2.0.0' } }, async () => '2')
  const host = (name: string) => ({ url: '/x', headers: { host: name } })
  t.strictSame(await remainders(app, '/x', host('a.test'), host('b.test'), { url: '/x', headers: { 'accept-version': '2.x' } }, '/x'), [2, 2, 4, 2, 1])
})

t.test('two registrations are apart, also in a group of one name', async (t) => {
  const { app, plugin } = bareApp(t)
  for (const prefix of ['/a', '/b']) {
    app.register(async (child) => {
      await child.register(plugin, { max: 9, timeWindow: '1 minute' })
      child.get('/', { config: { rateLimit: { max: 3, groupId: 'search' } } }, async () => 'hello')
    }, { prefix })
  }
  t.strictSame(await remainders(app, '/a', '/b', '/a'), [2, 2, 1])
})
