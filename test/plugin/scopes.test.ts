import t from 'tap'
import { bareApp, limitedApp, remainders, statuses } from '../fixtures/app.js'

t.test('sibling scopes have limits of their own', async (t) => {
  const { app, plugin } = bareApp(t)
  app.register(async (child) => {
    await child.register(plugin, { max: 3, timeWindow: '1 minute' })
    child.get('/', async () => 'a')
  }, { prefix: '/a' })
  app.register(async (child) => {
    await child.register(plugin, { max: 7, timeWindow: '1 minute' })
    child.get('/', async () => 'b')
  }, { prefix: '/b' })
  app.get('/', async () => 'root')
  t.strictSame(await remainders(app, '/a', '/b', '/', '/a/'), [2, 6, NaN, 1])
})

t.test('the innermost registration decides, and the outer one does not count', async (t) => {
  const { app, plugin } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  app.register(async (child) => {
    await child.register(plugin, { max: 3, timeWindow: '1 minute' })
    child.get('/inner', async (request) => String(request.rateLimit?.limit))
    child.register(async (grandchild) => { grandchild.get('/innermost', async () => 'hello') })
  })
  t.strictSame(await remainders(app, '/inner', '/innermost', '/', '/no/such'), [2, 1, 4, 3])
  t.equal((await app.inject('/inner')).body, '3')
})

for (const hook of ['onRequest', 'preHandler'] as const) {
  t.test(`in ${hook} the innermost registration decides for routes declared before it`, async (t) => {
    const { app, plugin } = await limitedApp(t, { max: 5, timeWindow: '1 minute', hook })
    app.register(async (child) => {
      child.get('/inner', async () => 'inner')
      child.get('/own', { config: { rateLimit: { max: 2 } } }, async () => 'own')
      await child.register(plugin, { max: 3, timeWindow: '1 minute' })
    })
    t.strictSame(await remainders(app, '/inner', '/own', '/'), [2, 1, 4])
    t.strictSame(await statuses(app, 3, '/inner'), [200, 200, 429])
  })
}

t.test('a registration that is switched off leaves its scope unlimited', async (t) => {
  const { app, plugin } = await limitedApp(t, { max: 1, timeWindow: '1 minute' })
  app.register(async (child) => {
    await child.register(plugin, { enabled: false })
    child.get('/inner', async () => 'inner')
  })
  t.strictSame(await statuses(app, 3, '/inner'), [200, 200, 200])
})

t.test('unknown URLs below a scope are counted by the registration at the root', async (t) => {
  const { app, plugin } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  app.register(async (child) => { await child.register(plugin, { max: 3 }) }, { prefix: '/inner' })
  t.strictSame(await remainders(app, '/inner/no/such'), [4])
})

t.test('unknown URLs of a scope with its own handler are counted by that scope', async (t) => {
  const { app, plugin } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  app.register(async (child) => {
    await child.register(plugin, { max: 3 })
    child.setNotFoundHandler((_request, reply) => { reply.code(404).send('nothing') })
  }, { prefix: '/inner' })
  t.strictSame(await remainders(app, '/inner/no/such', '/no/such'), [2, 4])
})

t.test('a second registration in one scope is an error', async (t) => {
  const { app, plugin } = await limitedApp(t, { max: 5 })
  await t.rejects(async () => { await app.register(plugin, { max: 3 }) }, { code: 'FST_SLUICE_ALREADY_REGISTERED' })
})

t.test('a registration beside a foreign decorator of the same name is an error that tells of it', async (t) => {
  const { app, plugin } = bareApp(t)
  app.decorate('rateLimit', Object.assign(() => {}) as never)
  await t.rejects(async () => { await app.register(plugin, { max: 3 }) }, {
    code: 'FST_SLUICE_ALREADY_REGISTERED',
    message: 'rateLimit: this scope already has a decorator of this name; register the plugin once per scope, without another rate limiter'
  })
})

t.test('each route is counted once where a prefix answers with and without a trailing slash', async (t) => {
  for (const hook of ['onRequest', 'preHandler'] as const) {
    const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute', hook })
    app.register(async (child) => {
      child.get('/', { config: { rateLimit: { max: 4 } } }, async () => 'both')
    }, { prefix: '/both' })
    t.strictSame(await remainders(app, '/both', '/both/', { method: 'HEAD', url: '/both/' }, { method: 'HEAD', url: '/both' }), [3, 2, 1, 0])
  }
})
