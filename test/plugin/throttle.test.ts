// Requests that are held until their token is due, over HTTP.
import { AsyncLocalStorage } from 'node:async_hooks'
import t from 'tap'
import { limitedApp, MS, statuses } from '../fixtures/app.js'
import { createThrottledApp, waitTurns, type Pending } from '../throttle/throttled-app.js'

const from = (remoteAddress: string, url = '/') => ({ url, remoteAddress })
const codes = (pending: readonly Pending[]) => pending.map(({ answer }) => answer?.statusCode ?? null)

/** One at once, then one each 100 ms. */
const TENTH = { max: 1, timeWindow: 100, throttle: { maxDelay: 1000 } }

t.test('a request is held until its token is due, and not longer', async (t) => {
  const { send, advance } = await createThrottledApp(t, TENTH)
  const [first, second] = [await send(), await send()]
  t.strictSame(codes([first, second]), [200, null])
  await advance(99)
  t.strictSame(codes([second]), [null])
  await advance(1)
  t.strictSame(codes([second]), [200])
})

t.test('a held request says that it was delayed, and where its client stands at its release', async (t) => {
  const { app, send, advance } = await createThrottledApp(t, { max: 2, timeWindow: '20s', throttle: { maxDelay: '15s' }, headers: 'both' })
  app.get('/look', async (request) => request.rateLimit)
  const look = () => send({ url: '/look' })
  const [, second, third] = [await look(), await look(), await look()]
  t.equal(second.answer?.json().outcome, 'allowed')
  t.match(second.answer?.headers, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '20' })
  await advance(10_000)
  t.match(third.answer?.headers, { 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '20', ratelimit: '"default";r=0;t=20' }, 'two tokens are to come')
  t.equal(third.answer?.headers['retry-after'], undefined)
  t.match(third.answer?.json(), { outcome: 'delayed', remaining: 0, resetAfterMs: 20_000, retryAfterMs: 0, delayUs: 10_000_000 })
  await advance(19_999)
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 1 }], 'a millisecond before the reset that was told')
  await advance(1)
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 2 }])
})

t.test('requests of one client go on in the order in which they came, at the rate', async (t) => {
  const { app, clock, send, advance } = await createThrottledApp(t, TENTH)
  const startUs = clock.nowUs()
  const served: string[] = []
  app.get('/:name', async (request) => { served.push(`${request.url} after ${(clock.nowUs() - startUs) / MS}`) })
  for (const url of ['/a', '/b', '/c', '/d', '/e']) await send({ url })
  await advance(400)
  t.strictSame(served, ['/a after 0', '/b after 100', '/c after 200', '/d after 300', '/e after 400'])
})

t.test('one who asks at the moment of a release stands behind those who wait', async (t) => {
  const { send, advance } = await createThrottledApp(t, TENTH)
  const waiting = [await send(), await send(), await send()]
  await advance(100)
  const late = await send()
  t.strictSame(codes([...waiting, late]), [200, 200, null, null])
  await advance(100)
  t.strictSame(codes([waiting[2], late]), [200, null])
  await advance(100)
  t.strictSame(codes([late]), [200])
})

t.test('each client has a line of its own', async (t) => {
  const { send, advance } = await createThrottledApp(t, TENTH)
  const a = [await send(from('203.0.113.1')), await send(from('203.0.113.1')), await send(from('203.0.113.1'))]
  const b = [await send(from('203.0.113.2')), await send(from('203.0.113.2'))]
  await advance(100)
  t.strictSame(codes([...a, ...b]), [200, 200, null, 200, 200])
})

t.test('what costs more waits for all of its tokens', async (t) => {
  const { send, advance } = await createThrottledApp(t, { max: 3, timeWindow: 300, throttle: { maxDelay: 1000 }, cost: ({ headers }) => Number(headers['x-cost'] ?? 1) })
  const dear = () => send({ headers: { 'x-cost': '3' } })
  const [first, second, cheap] = [await dear(), await dear(), await send()]
  t.strictSame(codes([first, second, cheap]), [200, null, null])
  await advance(299)
  t.strictSame(codes([second]), [null])
  await advance(1)
  t.strictSame(codes([second, cheap]), [200, null])
  await advance(100)
  t.strictSame(codes([cheap]), [200])
})

t.test('who would wait longer than maxDelay is refused, and is held when he comes back exactly at Retry-After', async (t) => {
  const { clock, send, advance } = await createThrottledApp(t, { max: 1, timeWindow: '1s', throttle: { maxDelay: '2s' } })
  const held = [await send(), await send(), await send()]
  const refused = await send()
  t.strictSame(codes([...held, refused]), [200, null, null, 429])
  t.match(refused.answer?.headers, { 'retry-after': '1', 'x-ratelimit-remaining': '0' })
  t.match(refused.answer?.json(), { status: 429, retryAfter: 1 })
  clock.advance(1000 * MS - 1)
  t.strictSame(codes([await send()]), [429], 'a microsecond sooner he is refused')
  clock.advance(1)
  const back = await send()
  t.strictSame(codes([back]), [null])
  await advance(2000)
  t.strictSame(codes([...held, back]), [200, 200, 200, 200])
})

t.test('no more than maxQueued are held', async (t) => {
  const { send, advance } = await createThrottledApp(t, { ...TENTH, throttle: { maxDelay: 1000, maxQueued: 2 } })
  for (const client of ['203.0.113.1', '203.0.113.2', '203.0.113.3']) t.strictSame(codes([await send(from(client))]), [200])
  const held = [await send(from('203.0.113.1')), await send(from('203.0.113.2'))]
  const refused = await send(from('203.0.113.3'))
  t.strictSame(codes([...held, refused]), [null, null, 429])
  t.equal(refused.answer?.headers['retry-after'], '1')
  await advance(100)
  t.strictSame(codes([...held, await send(from('203.0.113.3'))]), [200, 200, 200], 'a refusal took no token')
})

t.test('one client cannot fill the queue', async (t) => {
  const { send } = await createThrottledApp(t, { ...TENTH, throttle: { maxDelay: '1 hour', maxQueued: 10, maxQueuedPerClient: 3 } })
  const greedy: Pending[] = []
  for (let i = 0; i < 20; i++) greedy.push(await send(from('203.0.113.1')))
  t.strictSame(codes(greedy), [200, null, null, null, ...Array(16).fill(429)])
  t.strictSame(codes([await send(from('203.0.113.2')), await send(from('203.0.113.2'))]), [200, null])
})

t.test('twenty requests of one turn find no more room than there is', async (t) => {
  const { app } = await createThrottledApp(t, { ...TENTH, throttle: { maxDelay: '1 hour', maxQueuedPerClient: 3 } })
  const answers: number[] = []
  for (let i = 0; i < 20; i++) app.inject('/').then(({ statusCode }) => { answers.push(statusCode) })
  await waitTurns()
  t.strictSame(answers.sort(), [200, ...Array(16).fill(429)])
})

t.test('each policy has a queue of its own', async (t) => {
  const { app, send } = await createThrottledApp(t, { max: 1, timeWindow: '1s', throttle: { maxQueued: 10 } })
  app.get('/report', { config: { rateLimit: { max: 1, timeWindow: '1s', throttle: { maxQueued: 1, maxQueuedPerClient: 1 } } } }, async () => 'report')
  const held = [await send(), await send(), await send()]
  const reports = [await send(from('127.0.0.1', '/report')), await send(from('127.0.0.1', '/report')), await send(from('127.0.0.1', '/report'))]
  t.strictSame(codes([...held, ...reports]), [200, null, null, 200, null, 429])
})

t.test('a place in the queue is free again when its request goes on', async (t) => {
  const { send, advance } = await createThrottledApp(t, { ...TENTH, throttle: { maxDelay: 1000, maxQueued: 1 } })
  await send()
  for (let i = 0; i < 5; i++) {
    const [held, refused] = [await send(), await send()]
    t.strictSame(codes([held, refused]), [null, 429])
    await advance(100)
    t.strictSame(codes([held]), [200])
  }
})

t.test('throttle: false on a route refuses below a default that holds', async (t) => {
  const { app, send, advance } = await createThrottledApp(t, { max: 1, timeWindow: '1s', throttle: {} })
  app.get('/strict', { config: { rateLimit: { max: 1, timeWindow: '1s', throttle: false } } }, async () => 'strict')
  t.strictSame(await statuses(app, 2, '/strict'), [200, 429])
  const held = [await send(), await send()]
  t.strictSame(codes(held), [200, null])
  await advance(1000)
  t.strictSame(codes(held), [200, 200])
})

t.test('throttle: false on a route that shares the buckets refuses, and stands behind those who wait', async (t) => {
  const { app, send, advance } = await createThrottledApp(t, { max: 1, timeWindow: '1s', throttle: { maxDelay: '3s' } })
  app.get('/strict', { config: { rateLimit: { throttle: false } } }, async () => 'strict')
  const held = [await send(), await send(), await send()]
  const refused = await send({ url: '/strict' })
  t.strictSame(codes([...held, refused]), [200, null, null, 429])
  t.equal(refused.answer?.headers['retry-after'], '3')
  await advance(2000)
  t.strictSame(codes(held), [200, 200, 200])
  await advance(999)
  t.strictSame(await statuses(app, 1, '/strict'), [429])
  await advance(1)
  t.strictSame(await statuses(app, 1, '/strict'), [200])
})

t.test('a route on trial shares nothing with a throttled default, and may stand beside it', async (t) => {
  const { app } = await createThrottledApp(t, { max: 1, timeWindow: '1s', throttle: { maxDelay: '3s' } })
  app.get('/trial', { config: { rateLimit: { mode: 'shadow' } } }, async () => 'trial')
  t.strictSame(await statuses(app, 3, '/trial'), [200, 200, 200])
})

t.test('a route may hold where the default refuses, in the same buckets', async (t) => {
  const { app, send, advance } = await createThrottledApp(t, { max: 2, timeWindow: '20s' })
  app.get('/patient', { config: { rateLimit: { throttle: { maxDelay: '10s' } } } }, async () => 'patient')
  t.strictSame(await statuses(app, 3), [200, 200, 429])
  const held = await send({ url: '/patient' })
  t.strictSame(codes([held]), [null])
  await advance(10_000)
  t.strictSame(codes([held]), [200])
})

t.test('only token buckets can be throttled', async (t) => {
  for (const algorithm of ['sliding-window', 'fixed-window'] as const) {
    await t.rejects(limitedApp(t, { max: 1, timeWindow: '1s', algorithm, throttle: {} }), { code: 'FST_SLUICE_CONTRADICTION', message: /^rateLimit\.throttle: needs token buckets/ })
  }
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1s', throttle: {} })
  t.throws(() => app.get('/window', { config: { rateLimit: { max: 1, timeWindow: '1s', algorithm: 'sliding-window' } } }, async () => ''), { code: 'FST_SLUICE_CONTRADICTION' })
  app.get('/trial', {
    config: { rateLimit: { limits: [{ name: 'real', max: 1, timeWindow: '1s' }, { name: 'trial', max: 1, timeWindow: '1s', algorithm: 'sliding-window', mode: 'shadow' }] } }
  }, async () => 'a limit on trial holds nobody')
})

t.test('a limit on trial does not delay', async (t) => {
  const { app } = await createThrottledApp(t, { max: 1, timeWindow: '1s', mode: 'shadow', throttle: {} })
  t.strictSame(await statuses(app, 4), [200, 200, 200, 200])
})

t.test('with several limits a request is held until the last of them is due', async (t) => {
  const { app, send, advance } = await createThrottledApp(t, {
    throttle: { maxDelay: 1000 },
    headers: 'both',
    limits: [{ name: 'fast', max: 1, timeWindow: 100 }, { name: 'slow', max: 2, timeWindow: 1000 }, { name: 'all', max: 4, timeWindow: '1 hour', by: 'global' }]
  })
  const sent = [await send(), await send(), await send(), await send()]
  t.strictSame(codes(sent), [200, null, null, null])
  await advance(100)
  t.strictSame(codes(sent), [200, 200, null, null])
  await advance(400)
  t.strictSame(codes(sent), [200, 200, 200, null])
  await advance(500)
  t.strictSame(codes(sent), [200, 200, 200, 200])
  t.strictSame(codes([await send()]), [429], 'of all')
  t.match((await app.rateLimit.peek('global')), [{ name: 'all', remaining: 0 }])
})

t.test('no reset that a held request is told of lies in the past', async (t) => {
  const { send, advance } = await createThrottledApp(t, {
    throttle: { maxDelay: '10s' },
    headers: 'both',
    limits: [{ name: 'fast', max: 1, timeWindow: 100 }, { name: 'slow', max: 1, timeWindow: '5s' }]
  })
  const held = [await send(), await send()]
  await advance(5000)
  t.match(held[1].answer?.headers, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '5', ratelimit: '"fast";r=0;t=0, "slow";r=0;t=5' })
})

t.test('check never waits, and a refusal by it takes nothing', async (t) => {
  const { app, send, advance } = await createThrottledApp(t, TENTH)
  app.get('/check', { config: { rateLimit: false } }, async (request) => await app.rateLimit.check(request))
  const check = async () => (await app.inject('/check')).json()
  t.match(await check(), { outcome: 'allowed' })
  t.match(await check(), { outcome: 'rejected', retryAfterMs: 100 })
  const held = [await send(), await send()]
  t.match(await check(), { outcome: 'rejected', retryAfterMs: 300 }, 'behind those who wait')
  await advance(200)
  t.strictSame(codes(held), [200, 200])
})

t.test('a guard holds too', async (t) => {
  const { app, send, advance } = await createThrottledApp(t, { max: 100, timeWindow: '1s' })
  app.get('/guarded', { preHandler: app.rateLimit({ groupId: 'guarded', max: 1, timeWindow: 100, throttle: {} }) }, async () => 'guarded')
  const held = [await send({ url: '/guarded' }), await send({ url: '/guarded' })]
  t.strictSame(codes(held), [200, null])
  await advance(100)
  t.strictSame(codes(held), [200, 200])
})

for (const hook of ['preParsing', 'preValidation', 'preHandler'] as const) {
  t.test(`requests are held at ${hook} as well, with their bodies`, async (t) => {
    const { app, send, advance } = await createThrottledApp(t, { ...TENTH, hook })
    app.post('/echo', async (request) => request.body)
    const post = (n: number) => send({ url: '/echo', method: 'POST', payload: { n } })
    const held = [await post(1), await post(2)]
    t.strictSame(codes(held), [200, null])
    await advance(100)
    t.strictSame(held.map(({ answer }) => answer?.json()), [{ n: 1 }, { n: 2 }])
  })
}

t.test('a tier with limits of its own is held by them', async (t) => {
  const { send, advance } = await createThrottledApp(t, {
    ...TENTH,
    identify: { custom: ({ headers }) => headers['x-user'] === undefined ? null : { id: String(headers['x-user']), tier: 'slow' } },
    tiers: { slow: { max: 1, timeWindow: 300 } }
  })
  const slow = { headers: { 'x-user': 'a' } }
  const held = [await send(slow), await send(slow)]
  await advance(299)
  t.strictSame(codes(held), [200, null])
  await advance(1)
  t.strictSame(codes(held), [200, 200])
})

t.test('a limit by function is held by the numbers of its request', async (t) => {
  const { send, advance } = await createThrottledApp(t, { ...TENTH, timeWindow: ({ headers }) => Number(headers['x-window'] ?? 100) })
  const slow = { headers: { 'x-window': '400' } }
  const held = [await send(), await send(slow), await send(slow)]
  await advance(399)
  t.strictSame(codes(held), [200, 200, null])
  await advance(1)
  t.strictSame(codes(held), [200, 200, 200])
})

t.test('onExceeding hears of a held request when it goes on, in its own context; onExceeded never', async (t) => {
  const heard: string[] = []
  const user = new AsyncLocalStorage<string>()
  const { app, send, advance } = await createThrottledApp(t, {
    ...TENTH,
    onExceeding: (request, { outcome }) => { heard.push(`${request.url} ${outcome}`) },
    onExceeded: () => { heard.push('exceeded') }
  })
  app.get('/:name', async () => String(user.getStore()))
  await user.run('a', () => send({ url: '/first' }))
  const held = await user.run('b', () => send({ url: '/second' }))
  t.strictSame(heard, ['/first allowed'])
  await advance(100)
  t.strictSame(heard, ['/first allowed', '/second delayed'])
  t.equal(held.answer?.body, 'b')
})
