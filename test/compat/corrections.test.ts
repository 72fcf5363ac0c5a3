// What differs from the original on purpose: what it answers, and what is answered here. docs/migration.md lists them.
import t from 'tap'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { bareApp } from '../fixtures/app.js'
import { until } from '../fixtures/until.js'
import { buildFastifyRateLimit } from '../../lib/compat/build.js'
import { assertDifferent, createRouteConfig, getDecorators, createCompatSide, repeatStep, type TestCase } from './side-by-side.js'

const from = (remoteAddress: string, url = '/') => ({ url, remoteAddress })
const by = (key: string) => ({ url: '/', headers: { key } })

t.test('routes of a group share their counts', async (t) => {
  const group = createRouteConfig({ max: 3, groupId: 'g' })
  const one: TestCase = { options: {}, routes (app) { app.get('/a', group, async () => 'a'); app.get('/b', group, async () => 'b') } }
  const { here } = await assertDifferent(t, one, ['/a', '/b', '/a', '/b'], { there: [200, 200, 200, 200], here: [200, 200, 200, 429] })
  t.strictSame(here.map(({ headers }) => headers['x-ratelimit-remaining']), ['2', '1', '0', '0'])
})

t.test('the key of a grouped route is the client\'s key', async (t) => {
  const one: TestCase = {
    options: { allowList: ['127.0.0.1'], max: 0 },
    routes (app) { app.get('/g', createRouteConfig({ groupId: 'g' }), async () => 'g') }
  }
  await assertDifferent(t, one, ['/g'], { there: [429], here: [200] })
})

t.test('exponentialBackoff holds as long as it says', async (t) => {
  const one: TestCase = { options: { max: 1, timeWindow: 1000, exponentialBackoff: true } }
  const steps = [...repeatStep(4, '/'), 3999, '/', 7999, '/', 16_000, '/']
  const { here } = await assertDifferent(t, one, steps, { there: [200, 429, 429, 429, 200, 200, 200], here: [200, 429, 429, 429, 429, 429, 200] })
  t.strictSame(here.map(({ headers }) => headers['retry-after']), [undefined, '1', '2', '4', '8', '16', undefined])
})

t.test('the longest wait is 512 windows', async (t) => {
  const { run } = await createCompatSide(t, { options: { max: 1, timeWindow: 1000, exponentialBackoff: true } })
  const heard = await run(...repeatStep(13, '/'))
  t.strictSame(heard.slice(-4).map(({ headers }) => headers['retry-after']), ['256', '512', '512', '512'])
  t.strictSame((await run(512_000, '/')).map(({ status }) => status), [200])
})

t.test('an address on the allow list is that address, also of IPv6 and in a group', async (t) => {
  const one: TestCase = { options: { max: 0, allowList: ['2001:db8::1', '10.0.0.0/8', '2001:db8:1::/48'] } }
  const steps = ['2001:db8::1', '2001:0db8:0::0001', '2001:db8::2', '10.1.2.3', '2001:db8:1:2::3', '192.0.2.1'].map((address) => from(address))
  await assertDifferent(t, one, steps, { there: [429, 429, 429, 429, 429, 429], here: [200, 200, 429, 200, 200, 429] })
})

t.test('where keys are generated, the list is asked of them, and not of a proxy\'s address', async (t) => {
  const one: TestCase = { options: { max: 0, allowList: ['127.0.0.1', '10.0.0.0/8'], keyGenerator: ({ headers }: FastifyRequest) => headers.key } }
  const steps = [by('192.0.2.1'), by('127.0.0.1'), by('10.1.2.3'), by('2001:db8::1'), by('someone')]
  await assertDifferent(t, one, steps, { there: [429, 200, 429, 429, 429], here: [429, 200, 200, 429, 429] })
})

t.test('other keys do not erase a used-up count', async (t) => {
  const one: TestCase = { options: { max: 1, cache: 50, keyGenerator: ({ headers }: FastifyRequest) => headers.key } }
  const others = Array.from({ length: 60 }, (_, index) => by(`other-${index}`))
  const all = others.map(() => 200)
  await assertDifferent(t, one, [by('me'), by('me'), ...others, by('me')], { there: [200, 429, ...all, 200], here: [200, 429, ...all, 429] })
})

t.test('a limiter beside the plugin\'s own counts too', async (t) => {
  const one: TestCase = {
    options: { max: 9 },
    routes (app) { app.get('/own', { preHandler: getDecorators(app).rateLimit({ max: 1 }) }, async () => 'own') }
  }
  await assertDifferent(t, one, repeatStep(2, '/own'), { there: [200, 200], here: [200, 429] })
})

t.test('a registration in a scope brings its own functions', async (t) => {
  const { app, plugin, clock } = bareApp(t)
  const compat = buildFastifyRateLimit(plugin, clock)
  await app.register(compat, { max: 100 })
  app.register(async (scope) => {
    await scope.register(compat, { max: 7 })
    const check = getDecorators(scope).createRateLimit()
    scope.get('/inner', createRouteConfig(false), async (request) => await check(request))
  })
  t.match((await app.inject('/inner')).json(), { max: 7, remaining: 6 })
})

t.test('enableDraftSpec and header flags of a route hold there, field by field', async (t) => {
  const { run } = await createCompatSide(t, {
    options: { max: 1, addHeaders: { 'retry-after': false } },
    routes (app) {
      app.get('/draft', createRouteConfig({ enableDraftSpec: true }), async () => 'draft')
      app.get('/own', createRouteConfig({ addHeaders: { 'x-ratelimit-limit': false } }), async () => 'own')
    }
  })
  const names = (await run(...repeatStep(2, '/draft'), ...repeatStep(2, '/own')))
    .map(({ headers }) => Object.keys(headers).filter((name) => /ratelimit|retry/.test(name)).sort().join(' '))
  t.strictSame(names, [
    'ratelimit-limit ratelimit-remaining ratelimit-reset',
    'ratelimit-limit ratelimit-remaining ratelimit-reset',
    'x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset',
    'x-ratelimit-remaining x-ratelimit-reset'
  ])
})

t.test('a built object without a statusCode is a 429, and a 403 for who is banned', async (t) => {
  const one: TestCase = { options: { max: 1, ban: 1, errorResponseBuilder: () => ({ slow: 'down' }) } }
  const { here } = await assertDifferent(t, one, repeatStep(3, '/'), { there: [200, 500, 500], here: [200, 429, 403] })
  t.equal(here[1].body, '{"slow":"down"}')
})

t.test('a builder may be asynchronous', async (t) => {
  const one: TestCase = { options: { max: 0, errorResponseBuilder: async (_request: unknown, context: object) => context } }
  await assertDifferent(t, one, ['/'], { there: [500], here: [429] })
})

t.test('a callback that rejects is logged, and ends no process', async (t) => {
  const { app, plugin, clock, log } = bareApp(t)
  await app.register(buildFastifyRateLimit(plugin, clock), { max: 0, onExceeded: (async () => { throw new Error('of the callback') }) as () => void })
  app.get('/', async () => 'hello')
  t.equal((await app.inject('/')).statusCode, 429)
  t.equal((await app.inject('/')).statusCode, 429)
  await until('the fault is logged', 10_000, () => log.length > 0)
  t.match(log, [{ source: 'onExceeded', err: { message: 'of the callback' } }])
  t.equal(log.length, 1, 'once a minute at most')
})

t.test('a max that is no number limits all the same', async (t) => {
  for (const max of [() => NaN, () => undefined, async () => 'many']) {
    const one: TestCase = { options: { timeWindow: 60_000, max } }
    const { here } = await assertDifferent(t, one, repeatStep(2, '/'), { there: [200, 200], here: [200, 200] })
    t.strictSame(here.map(({ headers }) => headers['x-ratelimit-remaining']), ['999', '998'])
  }
})

t.test('a timeWindow that is no whole number is rounded up', async (t) => {
  const { run } = await createCompatSide(t, { options: { max: 1, timeWindow: () => 999.5 } })
  t.strictSame((await run('/', 999, '/', 1, '/')).map(({ status }) => status), [200, 429, 200])
})

t.test('a max of another type is read as a number, also in headers', async (t) => {
  for (const [max, status, limit] of [['1e2', 200, '100'], [null, 429, '0'], [false, 429, '0'], ['', 429, '0'], [true, 200, '1']] as const) {
    const { here } = await assertDifferent(t, { options: { max: () => max } }, ['/'], { there: [status], here: [status] })
    t.equal(here[0].headers['x-ratelimit-limit'], limit)
  }
  await assertDifferent(t, { options: { max: () => 2n } }, repeatStep(3, '/'), { there: [500, 500, 500], here: [200, 200, 429] })
})

t.test('a timeWindow that is no number is a minute', async (t) => {
  for (const timeWindow of [() => NaN, () => undefined, () => 0, () => -5, async () => 'soon', () => ({})]) {
    const { run } = await createCompatSide(t, { options: { max: 1, timeWindow } })
    t.strictSame((await run('/', 59_999, '/', 1, '/')).map(({ status }) => status), [200, 429, 200])
  }
})

t.test('a window by a function keeps the length that it began with', async (t) => {
  const one: TestCase = {
    options: () => {
      const lengths = [10_000, 9000, 4000, 10_000]
      return { max: 1, timeWindow: () => lengths.shift() }
    }
  }
  await assertDifferent(t, one, ['/', 1000, '/', 5000, '/', 4000, '/'], { there: [200, 429, 200, 429], here: [200, 429, 429, 200] })
})

t.test('a window of more than 17 years is one of 17 years', async (t) => {
  for (const timeWindow of ['100 years', '285421 years', `${'9'.repeat(90)} years`, 1e17, Number.MAX_VALUE, () => Infinity, () => '100 years', () => '285421 years', () => 1e17]) {
    const { run } = await createCompatSide(t, { options: { max: 1, timeWindow } })
    const [first, second] = await run('/', '/')
    t.strictSame([first.status, second.status, second.headers['retry-after']], [200, 429, String(Math.ceil(2 ** 39 / 1000))])
  }
})

t.test('objects with text of their own are keys by it', async (t) => {
  class Id {
    readonly #text: string
    constructor (text: string) { this.#text = text }
    toString () { return this.#text }
  }
  const one: TestCase = { options: { max: 1, keyGenerator: ({ headers }: FastifyRequest) => new Id(String(headers.key)) } }
  await assertDifferent(t, one, [by('a'), by('b'), by('a')], { there: [200, 200, 200], here: [200, 200, 429] })
})

t.test('a number and its text are one client', async (t) => {
  const one: TestCase = { options: { max: 1, keyGenerator: ({ headers }: FastifyRequest) => headers.key === 'text' ? '42' : 42 } }
  await assertDifferent(t, one, [by('number'), by('text')], { there: [200, 200], here: [200, 429] })
})

t.test('a key that is none is on no list', async (t) => {
  const one: TestCase = { options: { max: 1, allowList: [undefined, ''], keyGenerator: () => undefined } }
  await assertDifferent(t, one, ['/', '/'], { there: [200, 200], here: [200, 429] })
})

t.test('a key that is none counts the address', async (t) => {
  const keys: Record<string, unknown> = { null: null, false: false, NaN, empty: '', object: {}, bare: Object.create(null), symbol: Symbol('s'), call () {} }
  for (const key of ['missing', ...Object.keys(keys)]) {
    const { run } = await createCompatSide(t, { options: { max: 1, keyGenerator: () => keys[key] } })
    t.strictSame((await run(from('192.0.2.1'), from('192.0.2.2'), from('192.0.2.1'))).map(({ status }) => status), [200, 200, 429], key)
  }
  const one: TestCase = { options: { max: 1, keyGenerator: () => undefined } }
  await assertDifferent(t, one, [from('192.0.2.1'), from('192.0.2.2'), from('192.0.2.1')], { there: [200, 429, 429], here: [200, 200, 429] })
})

t.test('HEAD counts as GET', async (t) => {
  const one: TestCase = { options: {}, routes (app) { app.get('/own', createRouteConfig({ max: 1 }), async () => 'own') } }
  await assertDifferent(t, one, ['/own', { method: 'HEAD', url: '/own' }], { there: [200, 200], here: [200, 429] })
})

t.test('a ban lasts for a whole timeWindow, and is told once', async (t) => {
  const one: TestCase = { options: (record) => ({ max: 1, ban: 0, timeWindow: '10s', onBanReach: () => record('banned') }) }
  const steps = ['/', 9000, '/', 1000, '/', 9000, '/']
  const { here } = await assertDifferent(t, one, steps, { there: [200, 403, 200, 403], here: [200, 403, 403, 200] })
  t.equal(here[1].headers['retry-after'], '10')
  const { calls, run } = await createCompatSide(t, one)
  await run(...repeatStep(4, '/'))
  t.strictSame(calls, ['banned'])
})

t.test('a look says whether the next request would be refused', async (t) => {
  const one: TestCase = {
    options: {},
    routes (app: FastifyInstance) {
      const check = getDecorators(app).createRateLimit({ max: 1 })
      app.get('/check', createRouteConfig(false), async (request) => await check(request))
      app.get('/look', createRouteConfig(false), async (request) => (await check(request, { increment: false })).isExceeded)
    }
  }
  const { there, here } = await assertDifferent(t, one, ['/look', '/check', '/look'], { there: [200, 200, 200], here: [200, 200, 200] })
  t.strictSame([there[2].body, here[2].body], ['false', 'true'])
  t.equal(here[0].body, 'false')
})

t.test('what a route leaves undefined is the plugin\'s', async (t) => {
  const one: TestCase = { options: { max: 1 }, routes (app) { app.get('/own', createRouteConfig({ max: undefined }), async () => 'own') } }
  await assertDifferent(t, one, repeatStep(2, '/own'), { there: [200, 200], here: [200, 429] })
})

t.test('routes with long patterns that begin alike count apart', async (t) => {
  const [a, b] = ['a', 'b'].map((last) => `/${'long'.repeat(40)}/${last}`)
  const { run } = await createCompatSide(t, {
    options: {},
    routes (app) { for (const url of [a, b]) app.get(url, createRouteConfig({ max: 1, exponentialBackoff: true }), async () => 'long') }
  })
  t.strictSame((await run(a, b, a, b)).map(({ status }) => status), [200, 200, 429, 429])
})
