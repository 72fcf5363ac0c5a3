import t from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { limitedApp, remainders, SECOND, statuses } from '../fixtures/app.js'
import { createStoreApp, requestAs, byHeaders, eachStore } from '../fixtures/each-store.js'

type Max = Extract<NonNullable<RateLimitOptions['max']>, Function>
type TimeWindow = Extract<NonNullable<RateLimitOptions['timeWindow']>, Function>

/** The number that a request asks for. */
const byHeader: Max = ({ headers }) => Number(headers.max)
const asking = (max: number, window = '1 hour') => ({ url: '/', headers: { max: String(max), window } })

const algorithms = ['token-bucket', 'sliding-window', 'fixed-window'] as const

t.test('on each store', async (t) => {
  for (const store of await eachStore()) {
    for (const algorithm of algorithms) {
      t.test(`${store.name}, ${algorithm}: each number has buckets of its own, and what was used stays used in each`, async (t) => {
        const { app } = await createStoreApp(t, store, { max: byHeader, timeWindow: '10 hours', algorithm, cost: ({ headers }) => Number(headers.cost ?? 1) })
        await app.inject({ url: '/', headers: { max: '100', cost: '50' } })
        t.strictSame(await remainders(app, asking(1000), asking(100), asking(1)), [999, 49, 0])
        t.strictSame(await statuses(app, 2, asking(1)), [429, 429])
        await app.rateLimit.peek('ip:127.0.0.1')
        t.strictSame(await remainders(app, asking(100)), [48], 'who is refused by a small number has not cut what was used under a large one')
        t.equal(await app.rateLimit.reset('ip:127.0.0.1'), 3)
      })
    }

    t.test(`${store.name}: both numbers may depend on the client, who is known by then`, async (t) => {
      const { app } = await createStoreApp(t, store, {
        identify: byHeaders,
        max: (_request, { kind }) => kind === 'user' ? 5 : 1,
        timeWindow: (_request, { tier }) => tier === 'premium' ? '1 second' : 3_600_000,
        tiers: { premium: {} }
      })
      t.strictSame(await remainders(app, '/', requestAs('1'), requestAs('2', 'premium')), [0, 4, 4])
      t.equal((await app.inject('/')).headers['retry-after'], '3600')
      t.equal((await app.inject(requestAs('2', 'premium'))).headers['x-ratelimit-reset'], '1')
    })

    t.test(`${store.name}: headers of both dialects tell the request's own numbers`, async (t) => {
      const timeWindow: TimeWindow = ({ headers }) => String(headers.window)
      const { app } = await createStoreApp(t, store, { max: byHeader, timeWindow, headers: 'both' })
      for (const [max, seconds] of [[10, 3600], [20, 7200], [10, 3600]] as const) {
        const { headers } = await app.inject(asking(max, `${seconds}s`))
        t.equal(headers['x-ratelimit-limit'], String(max))
        t.equal(headers['ratelimit-policy'], `"default";q=${max};w=${seconds}`)
        t.match(headers.ratelimit, new RegExp(`^"default";r=${headers['x-ratelimit-remaining']};t=\\d+$`))
      }
    })

    t.test(`${store.name}: a refusal by one number does not hold for another`, async (t) => {
      const { app } = await createStoreApp(t, store, {
        limits: [{ name: 'fixed', max: 100, timeWindow: '1 hour' }, { name: 'made', max: byHeader, timeWindow: '1 hour' }]
      })
      t.strictSame(await statuses(app, 2, asking(1)), [200, 429])
      t.strictSame(await statuses(app, 2, asking(50)), [200, 200])
      t.strictSame(await statuses(app, 1, asking(1)), [429])
    })

    t.test(`${store.name}: a peek tells of the numbers that were used`, async (t) => {
      const { app } = await createStoreApp(t, store, { max: byHeader, timeWindow: '10 hours' })
      t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ max: 1000, windowMs: 36_000_000, remaining: 1000 }], 'the built-in one before any request')
      await app.inject(asking(20))
      t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ max: 20, limit: 20, remaining: 19 }])
      t.equal(await app.rateLimit.reset('ip:127.0.0.1'), 1)
      t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ max: 20, remaining: 20 }])
    })

    t.test(`${store.name}: 0 refuses without a time to come back`, async (t) => {
      const { app } = await createStoreApp(t, store, { max: byHeader, timeWindow: '1 hour' })
      const { statusCode, headers } = await app.inject(asking(0))
      t.equal(statusCode, 429)
      t.equal(headers['retry-after'], undefined)
      t.strictSame(await statuses(app, 1, asking(1)), [200], 'and costs nothing')
    })
  }
})

const rubbish: ReadonlyArray<readonly [what: string, make: () => unknown]> = [
  ['NaN', () => NaN],
  ['-1', () => -1],
  ['1.5', () => 1.5],
  ['Infinity', () => Infinity],
  ['2 ** 32', () => 2 ** 32],
  ['a text', () => 'x'],
  ['a number as a text', () => '5'],
  ['undefined', () => undefined],
  ['null', () => null],
  ['an object', () => ({ valueOf: () => 5 })],
  ['a bigint', () => 5n],
  ['a symbol', () => Symbol('five')],
  ['a rejection', async () => { throw new Error('broken') }],
  ['an exception', () => { throw new Error('broken') }],
  ['an exception that is none', () => { throw null }] // eslint-disable-line no-throw-literal
]
for (const [what, make] of rubbish) {
  t.test(`a max by function that comes to ${what} is the built-in one, and logged once a minute`, async (t) => {
    const { app, clock, log } = await limitedApp(t, { max: make as Max, timeWindow: '1 hour' })
    const { headers } = await app.inject('/')
    t.equal(headers['x-ratelimit-limit'], '1000')
    t.strictSame(await remainders(app, '/', '/'), [998, 997], 'and is counted')
    t.strictSame(log.map(({ source }) => source), ['limit'])
    clock.advance(60 * SECOND)
    await app.inject('/')
    t.match(log[1], { source: 'limit', suppressed: 2 })
  })

  if (what === 'a text' || what === 'a number as a text' || what === '2 ** 32') continue
  t.test(`a timeWindow by function that comes to ${what} is the built-in one`, async (t) => {
    const { app, log } = await limitedApp(t, { max: 1, timeWindow: make as TimeWindow })
    await app.inject('/')
    t.match((await app.inject('/')).headers, { 'x-ratelimit-limit': '1', 'retry-after': '60' })
    t.strictSame(log.map(({ source }) => source), ['limit'])
  })
}

t.test('a timeWindow by function may be a text with a unit, and no other', async (t) => {
  const { app, log } = await limitedApp(t, { max: 1, timeWindow: ({ headers }) => String(headers.window) })
  const waits: unknown[] = []
  for (const window of ['2 minutes', '90s', '10 parsecs', '', '0s', '-5s']) {
    await app.rateLimit.reset('ip:127.0.0.1')
    await app.inject(asking(1, window))
    waits.push((await app.inject(asking(1, window))).headers['retry-after'])
  }
  t.strictSame(waits, ['120', '90', '120', '120', '120', '120'], 'the strictest answer so far stands in for what is none')
  t.equal(log.length, 1)
  t.notMatch(log[0].err?.message, 'parsecs', 'which may be a client\'s text')
})

t.test('a rejection beside an exception ends no process', async (t) => {
  const rejections: unknown[] = []
  const onRejection = (reason: unknown) => { rejections.push(reason) }
  process.on('unhandledRejection', onRejection)
  t.teardown(() => process.off('unhandledRejection', onRejection))
  const rejecting = async () => { throw new Error('broken') }
  const { app } = await limitedApp(t, { max: rejecting as unknown as Max, timeWindow: () => { throw new Error('broken too') } })
  app.get('/other', { config: { rateLimit: { max: 5, timeWindow: rejecting as unknown as TimeWindow } } }, async () => 'other')
  t.strictSame([...await statuses(app, 1), ...await statuses(app, 1, '/other')], [200, 200])
  await new Promise(setImmediate)
  t.strictSame(rejections, [])
})

t.test('numbers that cannot be counted exactly are the built-in ones, and logged', async (t) => {
  const { app, log } = await limitedApp(t, { max: () => 4_294_967_291, timeWindow: () => 7 })
  t.equal((await app.inject('/')).headers['x-ratelimit-limit'], '1000')
  t.match(log[0].err, { message: 'rateLimit: 4294967291 per 7 ms cannot be counted exactly' })
})

t.test('of a limit by function the written numbers stay where the others fail', async (t) => {
  const { app } = await limitedApp(t, { limits: [{ name: 'own', max: 3, timeWindow: () => NaN, algorithm: 'fixed-window' }] })
  t.strictSame(await statuses(app, 4), [200, 200, 200, 429])
})

t.test('a burst stays as it is written', async (t) => {
  const { app } = await limitedApp(t, { max: byHeader, burst: 7, timeWindow: '1 minute' })
  const { headers } = await app.inject(asking(60))
  t.equal(headers['x-ratelimit-limit'], '7')
})

t.test('more plans than are remembered are counted all the same', async (t) => {
  const { app } = await limitedApp(t, { max: byHeader, timeWindow: '10 hours', algorithm: 'fixed-window' })
  for (let max = 2000; max < 3500; max++) await app.inject(asking(max))
  t.strictSame(await remainders(app, asking(2000)), [1998])
})

t.test('a function per tier, per route and in a rule', async (t) => {
  const { app } = await limitedApp(t, {
    identify: byHeaders,
    max: () => 3,
    tiers: { premium: { max: () => 8 } },
    rules: [{ name: 'a', match: '/a/*', max: (request) => request.url.length }]
  })
  app.get('/own', { config: { rateLimit: { max: () => 4 } } }, async () => 'own')
  app.get('/a/bcd', async () => 'a')
  t.strictSame(await remainders(app, '/', requestAs('1', 'premium'), '/own', '/a/bcd'), [2, 7, 3, 5])
})
