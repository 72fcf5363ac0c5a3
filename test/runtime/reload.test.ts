import t from 'tap'
import { buildRateLimitPlugin } from '../../lib/plugin/plugin.js'
import { bareApp, limitedApp, remainders, SECOND, statuses } from '../fixtures/app.js'
import { createGate } from '../fixtures/reload-gate.js'
import { createThrottledApp } from '../throttle/throttled-app.js'

const HOUR = { timeWindow: '1 hour' }

t.test('a reload before the application is ready holds for routes that are declared before and after it', async (t) => {
  const { app } = await limitedApp(t, { max: 10, ...HOUR })
  await app.rateLimit.reload({ max: 20, rules: [{ name: 'r', match: '/ruled', max: 3 }] })
  app.get('/ruled', async () => 'ruled')
  app.get('/own', { config: { rateLimit: { cost: 5 } } }, async () => 'own')
  t.strictSame(await remainders(app, '/', '/ruled', '/own'), [19, 2, 14])
  await t.rejects(app.rateLimit.reload({ max: 3 }), { message: /cost/ })
  t.strictSame(await remainders(app, '/'), [13])
})

t.test('a reload while the application closes, or afterwards, disturbs nobody', async (t) => {
  const { app } = await limitedApp(t, { max: 10, ...HOUR })
  const { wait, send, open } = createGate(app, 'work')
  app.get('/work', async (request) => {
    await wait(request)
    return 'done'
  })
  app.addHook('preClose', async () => { await app.rateLimit.reload({ max: 20 }) })
  app.addHook('onClose', async () => { await app.rateLimit.reload({ max: 30 }) })
  const { response } = await send('/work')
  const closed = app.close()
  await app.rateLimit.reload({ max: 40 })
  open()
  t.equal((await response).body, 'done')
  await closed
  await app.rateLimit.reload({ max: 50 })
  await t.rejects(app.rateLimit.reload({ max: -1 }), { code: 'FST_SLUICE_BAD_OPTION' })
})

t.test('a reload says of rules below only what changes, by their names', async (t) => {
  const { app } = await limitedApp(t, { max: 100, ...HOUR, rules: [{ name: 'a', match: '/a', max: 5, ...HOUR }, { name: 'b', match: '/b', max: 6, ...HOUR }] })
  for (const path of ['/a', '/b', '/c']) app.get(path, async () => path)
  t.strictSame(await remainders(app, '/a', '/b', '/c'), [4, 5, 99])
  await app.rateLimit.reload({ rules: [{ name: 'b', max: 60 }, { name: 'c', match: '/c', max: 7 }] })
  t.strictSame(await remainders(app, '/a', '/b', '/c'), [3, 58, 6])
  await t.rejects(app.rateLimit.reload({ rules: [{ name: 'bb', max: 60 }] }), { code: 'FST_SLUICE_BAD_OPTION', message: /^reload\.rules\[0\]\.match: .*did you mean "b"/ })
  await app.rateLimit.reload({})
  t.strictSame(await remainders(app, '/a', '/b', '/c'), [2, 3, 98])
})

t.test('the switch: off lets pass uncounted, on again knows what was used', async (t) => {
  const { app } = await limitedApp(t, { max: 3, ...HOUR })
  app.get('/checked', { config: { rateLimit: false } }, async (request) => ({ outcome: (await app.rateLimit.check(request, { cost: 0 }))?.outcome ?? 'off' }))
  app.get('/guarded', { config: { rateLimit: false }, preHandler: app.rateLimit() }, async () => 'guarded')
  t.strictSame(await remainders(app, '/', '/guarded'), [2, 1])
  await app.rateLimit.reload({ enabled: false })
  t.strictSame(await remainders(app, '/', '/guarded', '/nowhere'), [NaN, NaN, NaN])
  t.equal((await app.inject('/checked')).json().outcome, 'off')
  await app.rateLimit.reload({ enabled: true })
  t.strictSame(await statuses(app, 2), [200, 429])
  t.strictSame(await statuses(app, 1, '/guarded'), [429])
})

t.test('one that is off from the start can be switched on', async (t) => {
  const { app } = await limitedApp(t, { max: 2, ...HOUR, enabled: false, hook: 'preHandler' })
  t.strictSame(await statuses(app, 3), [200, 200, 200])
  await app.rateLimit.reload({ enabled: true })
  t.strictSame(await statuses(app, 3), [200, 200, 429])
})

t.test('what is said in code and cannot be under the new limits refuses the reload, whole', async (t) => {
  const ROWS = [
    ['a guard', /^rateLimit\.guard\.cost: expected at most 5/],
    ['a route', /^GET \/dear config\.rateLimit\.cost: expected at most 5/],
    ['an early route that was asked for', /^GET \/early config\.rateLimit\.cost: expected at most 5/]
  ] as const
  for (const [what, message] of ROWS) {
    const { app, plugin, log } = bareApp(t)
    if (what.startsWith('an early')) app.get('/early', { config: { rateLimit: { cost: 50 } } }, async () => 'early')
    await app.register(plugin, { max: 100, ...HOUR })
    app.get('/', async () => 'hello')
    if (what === 'a guard') app.rateLimit({ cost: 50 })
    if (what === 'a route') app.get('/dear', { config: { rateLimit: { cost: 50 } } }, async () => 'dear')
    if (what.startsWith('an early')) t.strictSame(await remainders(app, '/early'), [50])
    const [before] = await remainders(app, '/')
    await t.rejects(app.rateLimit.reload({ max: 5, headers: 'ratelimit', rules: [{ name: 'r', match: '/', max: 1 }] }), { code: 'FST_SLUICE_BAD_OPTION', message }, what)
    t.strictSame(await remainders(app, '/'), [before - 1], 'nothing of it holds')
    t.equal(log.length, 1)
    t.match(log[0], { msg: /^rate limit: the new configuration is refused/, source: 'call', err: { message } })
    await app.rateLimit.reload({ max: 50 })
    t.equal((await app.inject('/')).headers['x-ratelimit-limit'], '50')
  }
})

t.test('routes that were declared before the plugin follow a reload, whether or not they were asked for', async (t) => {
  const { app, plugin } = bareApp(t)
  for (const path of ['/asked', '/new', '/ruled']) app.get(path, async () => path)
  app.get('/own', { config: { rateLimit: { max: 4, ...HOUR } } }, async () => 'own')
  await app.register(plugin, { max: 10, ...HOUR })
  t.strictSame(await remainders(app, '/asked', '/own'), [9, 3])
  await app.rateLimit.reload({ max: 20, rules: [{ name: 'r', match: '/ruled', max: 2 }, { name: 'o', match: '/own', override: true, max: 8 }] })
  t.strictSame(await remainders(app, '/asked', '/new', '/ruled', '/own', '/unknown'), [18, 17, 1, 7, 16])
  await app.rateLimit.reload({})
  t.strictSame(await remainders(app, '/own', '/ruled'), [2, 5], 'its own buckets waited')
})

t.test('an early route whose config was wrong all along stops no reload', async (t) => {
  const { app, plugin } = bareApp(t)
  const wrong = { max: -1 }
  app.get('/wrong', { config: { rateLimit: wrong } }, async () => 'wrong')
  await app.register(plugin, { max: 10, ...HOUR })
  t.strictSame(await statuses(app, 1, '/wrong'), [503])
  await app.rateLimit.reload({ max: 20 })
  t.strictSame(await statuses(app, 1, '/wrong'), [503])
  t.strictSame(await remainders(app, '/unknown'), [19])
})

t.test('a raised default loosens no route that has limits of its own', async (t) => {
  const { app } = await limitedApp(t, { max: 10, ...HOUR })
  app.get('/own', { config: { rateLimit: { max: 2 } } }, async () => 'own')
  await app.rateLimit.reload({ max: 1000, timeWindow: '1 second' })
  t.match((await app.inject('/own')).headers, { 'x-ratelimit-limit': '2', 'x-ratelimit-reset': '1800' })
})

t.test('a registration inside another is configured by neither its environment nor its reload', async (t) => {
  const { app, clock } = bareApp(t)
  const plugin = buildRateLimitPlugin(clock, { SLUICE_MAX: '7', SLUICE_TIME_WINDOW: '1 hour' })
  await app.register(plugin, { max: 10, timeWindow: '1 minute' })
  app.get('/', async () => 'hello')
  await app.register(async (child) => {
    await child.register(plugin, { max: 20, ...HOUR })
    child.get('/', async () => 'child')
    child.put('/', { config: { rateLimit: false } }, async () => { await child.rateLimit.reload({ max: 30 }) })
  }, { prefix: '/child' })
  t.strictSame(await remainders(app, '/', '/child'), [6, 19])
  await app.rateLimit.reload({ max: 100 })
  t.strictSame(await remainders(app, '/', '/child'), [5, 18], 'the environment is above')
  await app.inject({ method: 'PUT', url: '/child' })
  t.strictSame(await remainders(app, '/', '/child'), [4, 27])
})

t.test('the environment stays above what is reloaded, and is checked with it', async (t) => {
  const { app, clock } = bareApp(t)
  await app.register(buildRateLimitPlugin(clock, { SLUICE_RULES__LOGIN__MAX: '3', SLUICE_TIERS__GOLD__MAX: '50' }), {
    max: 10, ...HOUR, rules: [{ name: 'login', match: '/login', max: 5, ...HOUR }]
  })
  app.get('/login', async () => 'login')
  t.strictSame(await remainders(app, '/login'), [2])
  await app.rateLimit.reload({ rules: [{ name: 'login', max: 500, cost: 2 }] })
  t.strictSame(await remainders(app, '/login'), [0])
  await t.rejects(app.rateLimit.reload({ rules: [{ name: 'login', cost: 4 }] }), { message: /cost: expected at most 3/ })
  await t.rejects(app.rateLimit.reload({ rules: [{ name: 'login', limits: [{ name: 'a', max: 1, ...HOUR }, { name: 'b', max: 2, ...HOUR }] }] }), { message: /^SLUICE_RULES__LOGIN__MAX: / })
  t.strictSame(await statuses(app, 1, '/login'), [429])
})

t.test('the phase of the default policy cannot change, by name', async (t) => {
  for (const [from, to] of [['onRequest', 'preHandler'], ['preHandler', 'onRequest'], ['preValidation', 'preParsing']] as const) {
    const { app } = await limitedApp(t, { max: 10, ...HOUR, hook: from })
    await t.rejects(app.rateLimit.reload({ max: 20, hook: to }), { code: 'FST_SLUICE_FIXED_OPTION', message: /^reload\.hook: cannot be changed/ })
    t.strictSame(await remainders(app, '/'), [9])
    await app.rateLimit.reload({ max: 20, hook: from })
    t.strictSame(await remainders(app, '/'), [18])
  }
})

t.test('a rule may leave the phase of its routes for onRequest and come back, and can get into no other', async (t) => {
  const { app } = await limitedApp(t, { max: 10, ...HOUR, rules: [{ name: 'late', match: '/late', max: 20, ...HOUR, hook: 'preHandler' }] })
  const seen: string[] = []
  app.addHook('preValidation', async ({ rateLimit }) => { seen.push(rateLimit === null ? 'later' : 'counted') })
  app.get('/late', async () => 'late')
  const rule = (hook: 'onRequest' | 'preHandler' | 'preParsing') => ({ rules: [{ name: 'late', hook }] })
  t.strictSame(await remainders(app, '/late'), [19])
  await app.rateLimit.reload(rule('onRequest'))
  t.strictSame(await remainders(app, '/late'), [18])
  await app.rateLimit.reload(rule('preHandler'))
  t.strictSame(await remainders(app, '/late'), [17])
  t.strictSame(seen, ['later', 'counted', 'later'])
  await t.rejects(app.rateLimit.reload(rule('preParsing')), { code: 'FST_SLUICE_FIXED_OPTION', message: /^reload\.rules\[0\]\.hook: cannot be changed/ })
  await app.rateLimit.reload({ rules: [{ name: 'new', match: '/elsewhere', hook: 'preParsing', max: 5 }] })
})

t.test('requests that are held keep their places and their times over a reload, and newcomers who must wait stand behind them', async (t) => {
  const { app, send, advance } = await createThrottledApp(t, { max: 1, timeWindow: '1s', throttle: { maxDelay: '10s' } })
  const order: string[] = []
  app.get('/:name', async ({ url }) => { order.push(url) })
  const held = [await send({ url: '/1' }), await send({ url: '/2' }), await send({ url: '/3' }), await send({ url: '/4' })]
  await app.rateLimit.reload({ max: 2 })
  held.push(await send({ url: '/5' }))
  await app.rateLimit.reload({ throttle: false })
  await app.rateLimit.reload({ enabled: false })
  await app.rateLimit.reload({ max: 2, throttle: { maxDelay: '10s', maxQueued: 4 } })
  const refused = await send({ url: '/6' })
  t.equal(refused.answer?.statusCode, 429, 'those who wait fill the smaller queue')
  t.strictSame(held.map(({ answer }) => answer?.statusCode ?? null), [200, null, null, null, null])
  await advance(2000)
  t.strictSame(order, ['/1', '/2', '/3'])
  await advance(8000)
  t.strictSame(order, ['/1', '/2', '/3', '/4', '/5'])
  t.strictSame(held.map(({ answer }) => answer?.statusCode), [200, 200, 200, 200, 200])
})

t.test('a reload of nothing changes nothing, and many at once are one after the other', async (t) => {
  const { app, clock } = await limitedApp(t, { max: 10, ...HOUR })
  t.strictSame(await remainders(app, '/'), [9])
  await Promise.all(Array.from({ length: 20 }, async (_, i) => app.rateLimit.reload(i % 2 === 0 ? {} : { max: 10 + i })))
  t.strictSame(await remainders(app, '/'), [27])
  await app.rateLimit.reload()
  t.strictSame(await remainders(app, '/'), [7])
  clock.advance(3600 * SECOND)
  t.strictSame(await remainders(app, '/'), [9])
})

t.test('what is no set of options is refused', async (t) => {
  const { app } = await limitedApp(t, { max: 10, ...HOUR })
  for (const wrong of [null, [], 'max = 5', 5, { maks: 5 }, { rules: [{ match: '/a' }] }]) {
    await t.rejects(app.rateLimit.reload(wrong as never), { code: /^FST_SLUICE_(BAD|UNKNOWN)_OPTION$/, message: /^reload/ })
  }
  t.strictSame(await remainders(app, '/'), [9])
})

t.test('messages of a WebSocket are checked under the set of the day, whenever it was opened', async (t) => {
  const { app } = await limitedApp(t, { global: false, max: 10, ...HOUR })
  app.get('/messages', async (request) => {
    const before = await app.rateLimit.check(request)
    await app.rateLimit.reload({ max: 3 })
    const after = await app.rateLimit.check(request)
    await app.rateLimit.reload({ enabled: false })
    return [before?.limit, after?.limit, await app.rateLimit.check(request)]
  })
  t.strictSame((await app.inject({ url: '/messages', headers: { upgrade: 'websocket' } })).json(), [10, 3, null])
})
