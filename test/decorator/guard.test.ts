import t from 'tap'
import type { RouteRateLimit } from '../../lib/index.js'
import { bareApp, limitedApp, remainders, statuses } from '../fixtures/app.js'

const off = { rateLimit: false } as const

t.test('fastify.rateLimit() limits where it is hung, by the registration\'s policy', async (t) => {
  const { app } = await limitedApp(t, { max: 3, timeWindow: '1 minute', global: false })
  app.get('/guarded', { preHandler: app.rateLimit() }, async () => 'guarded')
  t.strictSame(await remainders(app, '/guarded', '/', '/guarded'), [2, NaN, 1])
  t.strictSame(await statuses(app, 2, '/guarded'), [200, 429])
})

t.test('a guard of the registration\'s policy does not charge what is charged already', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute' })
  app.get('/twice', { onRequest: app.rateLimit(), preHandler: [app.rateLimit(), app.rateLimit.guard()] }, async () => 'twice')
  t.strictSame(await remainders(app, '/twice'), [8])
})

t.test('a guard hung twice charges once', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute' })
  const guard = app.rateLimit({ max: 3, groupId: 'g' })
  const other = app.rateLimit({ max: 5, groupId: 'h' })
  app.get('/twice', { config: off, preHandler: [guard, other, guard, other] }, async (request) => request.rateLimit?.remaining)
  t.strictSame(await remainders(app, '/twice', '/twice'), [2, 1])
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ scope: 'default', remaining: 9 }, { scope: 'group:g', remaining: 1 }, { scope: 'group:h', remaining: 3 }])
})

t.test('the same options written twice charge once', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute' })
  const options = { max: 3, groupId: 'g' }
  app.get('/twice', { config: off, preHandler: [app.rateLimit(options), app.rateLimit(options)] }, async () => 'twice')
  t.strictSame(await remainders(app, '/twice'), [2])
})

t.test('a guard of other limits is charged beside the route\'s own', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute' })
  app.get('/both', { preHandler: app.rateLimit({ max: 1, groupId: 'strict' }) }, async () => 'both')
  t.strictSame(await statuses(app, 2, '/both'), [200, 429])
  t.strictSame(await remainders(app, '/'), [6], 'the default policy counted both')
})

t.test('a guard works in every phase that has no payload, and in preParsing', async (t) => {
  for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
    const { app } = await limitedApp(t, { max: 1, timeWindow: '1 minute', global: false })
    const guard = app.rateLimit()
    app.post('/guarded', { [hook]: guard }, async ({ body }) => body)
    const post = { method: 'POST', url: '/guarded', payload: { some: 'body' } } as const
    t.match((await app.inject(post)).json(), { some: 'body' }, hook)
    t.equal((await app.inject(post)).statusCode, 429, hook)
  }
})

t.test('a guard limits an application\'s handler of unknown URLs', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute', global: false })
  app.setNotFoundHandler({ preHandler: app.rateLimit({ max: 2, groupId: 'unknown' }) }, (_request, reply) => { reply.code(404).send() })
  t.strictSame(await statuses(app, 3, '/no/such'), [404, 404, 429])
})

t.test('a guard may be awaited by a hook of the application', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 minute', global: false })
  const guard = app.rateLimit()
  app.get('/awaited', { preHandler: async (request, reply) => { await guard(request, reply) } }, async () => 'awaited')
  t.strictSame(await statuses(app, 2, '/awaited'), [200, 429])
})

t.test('a guard that is awaited rejects with the application\'s own Error', async (t) => {
  const { app } = await limitedApp(t, { max: 0, timeWindow: '1 minute', global: false, errorResponseBuilder: () => new Error('slow down') })
  const guard = app.rateLimit()
  app.get('/awaited', { preHandler: async (request, reply) => { await guard(request, reply) } }, async () => 'awaited')
  t.match((await app.inject('/awaited')).json(), { statusCode: 429, message: 'slow down' })
})

t.test('a guard is switched off with its registration', async (t) => {
  const { app } = await limitedApp(t, { enabled: false })
  app.get('/guarded', { preHandler: app.rateLimit({ max: 0, groupId: 'none' }) }, async () => 'guarded')
  t.strictSame(await statuses(app, 1, '/guarded'), [200])
})

t.test('a guard in a scope with a registration of its own is that one\'s', async (t) => {
  const { app, plugin } = bareApp(t)
  await app.register(plugin, { max: 9, timeWindow: '1 minute', global: false })
  app.register(async (child) => {
    await child.register(plugin, { max: 4, timeWindow: '1 minute', global: false })
    child.get('/inner', { preHandler: child.rateLimit() }, async () => 'inner')
    child.get('/outer', { preHandler: app.rateLimit() }, async () => 'outer')
  })
  t.strictSame(await remainders(app, '/inner', '/outer'), [3, 8])
})

const wrong: ReadonlyArray<readonly [options: unknown, code: string, message: string]> = [
  [{ max: 5 }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.guard.groupId: expected a name for the buckets of these limits, got nothing'],
  [{ max: -1, groupId: 'g' }, 'FST_SLUICE_BAD_OPTION', 'rateLimit.guard.max: expected an integer from 0 to 4294967295, got -1'],
  [null, 'FST_SLUICE_BAD_OPTION', 'rateLimit.guard: expected an object of rate-limit options, or false, got null'],
  [{ limit: 5 }, 'FST_SLUICE_UNKNOWN_OPTION', 'rateLimit.guard.limit: unknown option, did you mean "max"?']
]
for (const [options, code, message] of wrong) {
  t.test(`a guard refuses ${message}`, async (t) => {
    const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute' })
    t.throws(() => app.rateLimit(options as RouteRateLimit), { code, message })
    t.throws(() => app.rateLimit.guard(options as RouteRateLimit), { code, message })
    const text = message.replace('guard', 'check')
    app.get('/check', async (request) => { await t.rejects(app.rateLimit.check(request, options as RouteRateLimit), { code, message: text }) })
    await app.inject('/check')
  })
}

t.test('guards that are made anew with the same options are known once', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute' })
  let isReloading = false
  let read = 0
  for (let i = 0; i < 100; i++) {
    app.rateLimit({ groupId: 'g', timeWindow: '1 minute', get max () { if (isReloading) read++; return 3 } })
  }
  isReloading = true
  await app.rateLimit.reload({ headers: 'off' })
  t.ok(read > 0 && read < 100, `read ${read} times`)
})
