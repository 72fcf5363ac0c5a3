import t from 'tap'
import { limitedApp, remainders, statuses } from '../fixtures/app.js'

t.test('{ cost } alone keeps the inherited limits and their buckets', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute' })
  app.get('/dear', { config: { rateLimit: { cost: 5 } } }, async () => 'dear')
  t.strictSame(await remainders(app, '/', '/dear', '/'), [8, 3, 2])
  t.strictSame(await statuses(app, 1, '/dear'), [429])
  t.strictSame(await remainders(app, '/'), [1], 'a refused request costs nothing')
})

t.test('{ max } alone keeps the inherited window', async (t) => {
  const { app } = await limitedApp(t, { max: 10, timeWindow: '90s' })
  app.get('/own', { config: { rateLimit: { max: 1 } } }, async () => 'own')
  await app.inject('/own')
  const { headers } = await app.inject('/own')
  t.equal(headers['retry-after'], '90')
})

t.test('{ timeWindow } alone keeps the inherited max', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '90s' })
  app.get('/own', { config: { rateLimit: { timeWindow: '7s' } } }, async () => 'own')
  t.equal((await app.inject('/own')).headers['x-ratelimit-limit'], '1')
  t.equal((await app.inject('/own')).headers['retry-after'], '7')
})

t.test('a new max does not keep a burst that was written for another', async (t) => {
  const { app } = await limitedApp(t, { max: 10, burst: 50, timeWindow: '1 minute' })
  app.get('/own', { config: { rateLimit: { max: 2 } } }, async () => 'own')
  t.equal((await app.inject('/')).headers['x-ratelimit-limit'], '50')
  t.equal((await app.inject('/own')).headers['x-ratelimit-limit'], '2')
})

t.test('a route inherits callbacks, mode and algorithm', async (t) => {
  const seen: string[] = []
  const { app, clock } = await limitedApp(t, { max: 9, timeWindow: 1000, algorithm: 'fixed-window', onExceeded: ({ url }) => { seen.push(url) } })
  app.get('/own', { config: { rateLimit: { max: 2 } } }, async () => 'own')
  t.strictSame(await statuses(app, 3, '/own'), [200, 200, 429])
  clock.advance(500_000)
  t.strictSame(await statuses(app, 1, '/own'), [429], 'a token bucket would have one')
  t.strictSame(seen, ['/own', '/own'])
})

t.test('limits of a route replace the inherited ones whole', async (t) => {
  const { app } = await limitedApp(t, {
    limits: [{ name: 'trial', max: 1, timeWindow: '1 hour', algorithm: 'fixed-window', by: 'global', mode: 'shadow' }]
  })
  app.get('/own', { config: { rateLimit: { max: 2, timeWindow: '1s' } } }, async () => 'own')
  const answers = await statuses(app, 3, '/own')
  t.strictSame(answers, [200, 200, 429], 'a route\'s own limit is not on trial because another was')
  t.strictSame(await statuses(app, 1, { url: '/own', remoteAddress: '203.0.113.9' }), [200])
})

t.test('several inherited limits can be replaced, not changed in part', async (t) => {
  const { app } = await limitedApp(t, {
    limits: [{ name: 'burst', max: 3, timeWindow: '1s' }, { name: 'hourly', max: 99, timeWindow: '1 hour' }]
  })
  app.get('/own', { config: { rateLimit: { max: 2, timeWindow: '1 minute' } } }, async () => 'own')
  app.get('/same', { config: { rateLimit: { cost: 2 } } }, async () => 'same')
  t.throws(() => app.get('/wrong', { config: { rateLimit: { max: 2 } } }, async () => 'wrong'), {
    code: 'FST_SLUICE_CONTRADICTION',
    message: 'GET /wrong config.rateLimit.max: cannot change one of the 2 inherited limits; give both max and timeWindow, or limits'
  })
  t.strictSame(await remainders(app, '/own', '/same', '/'), [1, 1, 0])
})

t.test('a field alone changes a single inherited limit, which keeps the rest and its name', async (t) => {
  const { app } = await limitedApp(t, { limits: [{ name: 'daily', max: 9, timeWindow: '1 day', algorithm: 'fixed-window' }] })
  app.get('/own', { config: { rateLimit: { max: 1 } } }, async () => 'own')
  await app.inject('/own')
  t.match((await app.inject('/own')).json(), { detail: "Limit 'daily' of 1 per 1 day exceeded. Retry in 1 day." })
})
