// Held requests whose client leaves, whose application closes, or whose Redis is away.
import { connect, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { bareApp } from '../fixtures/app.js'
import { freePort } from '../fixtures/redis-server.js'
import { createThrottledApp, waitTurns, type Pending } from '../throttle/throttled-app.js'

const codes = (pending: readonly Pending[]) => pending.map(({ answer }) => answer?.statusCode ?? null)

/** One at once and one each second, held for two and a half: room for two. */
const SECONDS = { max: 1, timeWindow: '1s', throttle: { maxDelay: 2500 } }

t.test('the last in line who leaves gives his token back', async (t) => {
  const { send, advance } = await createThrottledApp(t, SECONDS)
  const [, second, third] = [await send(), await send(), await send()]
  t.strictSame(codes([await send()]), [429])
  await third.abort()
  const newcomer = await send()
  t.strictSame(codes([newcomer]), [null])
  await advance(1000)
  t.strictSame(codes([second, newcomer]), [200, null])
  await advance(1000)
  t.strictSame(codes([newcomer]), [200], 'in the place of who left')
})

t.test('one who leaves from the middle of the line does not let two be served in one slot', async (t) => {
  const { app, send, advance } = await createThrottledApp(t, SECONDS)
  const served: string[] = []
  app.get('/:name', async (request) => { served.push(request.url) })
  const [, second] = [await send({ url: '/a' }), await send({ url: '/b' }), await send({ url: '/c' })]
  await second.abort()
  t.strictSame(codes([await send({ url: '/d' })]), [429], 'his slot is lost, and nobody else gets it')
  await advance(1000)
  t.strictSame(served, ['/a'])
  await advance(1000)
  t.strictSame(served, ['/a', '/c'])
  const next = await send({ url: '/e' })
  await advance(999)
  t.strictSame(codes([next]), [null])
  await advance(1)
  t.strictSame(served, ['/a', '/c', '/e'])
})

t.test('those who leave one after the other from the end give all of their tokens back', async (t) => {
  const { app, send } = await createThrottledApp(t, { max: 1, timeWindow: '1s', throttle: { maxDelay: '10s' } })
  const held: Pending[] = []
  for (let i = 0; i < 8; i++) held.push(await send())
  for (const pending of held.slice(1).reverse()) await pending.abort()
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 0, resetAfterMs: 1000 }], 'as after the first alone')
})

t.test('a place in the queue is free when its client leaves', async (t) => {
  const { send } = await createThrottledApp(t, { ...SECONDS, throttle: { maxDelay: 2500, maxQueued: 1 } })
  await send()
  for (let i = 0; i < 5; i++) {
    const held = await send()
    t.strictSame(codes([held, await send()]), [null, 429])
    await held.abort()
  }
})

t.test('who leaves is heard of by no callback and no handler, and gives nothing back a second time', async (t) => {
  const heard: string[] = []
  const { app, send, advance } = await createThrottledApp(t, { ...SECONDS, refundOn: ['4xx'], onExceeding: ({ url }) => { heard.push(`exceeding ${url}`) } })
  app.get('/:name', async ({ url }) => { heard.push(url) })
  const held = [await send({ url: '/a' }), await send({ url: '/b' })]
  await held[1].abort()
  await advance(5000)
  t.strictSame(heard, ['exceeding /a', '/a'])
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 1, resetAfterMs: 0 }])
})

t.test('who leaves after his release gives nothing back', async (t) => {
  const { app, send, advance } = await createThrottledApp(t, SECONDS)
  app.get('/slow', () => {})
  const [, held] = [await send(), await send({ url: '/slow' })]
  await advance(1000)
  await held.abort()
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 0, resetAfterMs: 1000 }])
})

t.test('with several limits who leaves gives back where nobody stands behind him', async (t) => {
  const { app, send } = await createThrottledApp(t, {
    throttle: { maxDelay: '10s' },
    limits: [{ name: 'each', max: 1, timeWindow: '1s' }, { name: 'all', max: 10, timeWindow: '10s', by: 'global' }]
  })
  const from = (remoteAddress: string) => send({ remoteAddress })
  const held = [await from('203.0.113.1'), await from('203.0.113.1'), await from('203.0.113.2')]
  await held[1].abort()
  t.match(await app.rateLimit.peek('ip:203.0.113.1'), [{ resetAfterMs: 1000 }], 'he was the last of his own')
  t.match(await app.rateLimit.peek('global'), [{ remaining: 7 }], 'and not the last of all')
})

t.test('closing answers held requests at once, and does not wait for their time', async (t) => {
  const { app, clock, send } = await createThrottledApp(t, { max: 1, timeWindow: '1 hour', throttle: { maxDelay: '5 hours' } })
  const held = [await send(), await send(), await send()]
  const startUs = clock.nowUs()
  await app.close()
  await waitTurns()
  t.strictSame(codes(held), [200, 503, 503])
  t.match(held[1].answer?.headers, { 'cache-control': 'no-store', 'content-type': /^application\/problem\+json/ })
  t.match(held[1].answer?.json(), { type: /#temporary-reduced-capacity$/, status: 503 })
  t.equal(clock.nowUs(), startUs)
})

t.test('closing answers those who are held over sockets, and does not wait for their connections', async (t) => {
  const { app } = await createThrottledApp(t, { max: 1, timeWindow: '1 hour', throttle: { maxDelay: '5 hours' } })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  let text = ''
  const socket = connect(port, '127.0.0.1').setEncoding('utf8').on('data', (chunk) => { text += chunk }).on('error', () => {})
  t.teardown(() => socket.destroy())
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n')
  await new Promise((resolve) => { socket.once('data', resolve) })
  await waitTurns()
  await app.close()
  await waitTurns()
  t.match(text, /^HTTP\/1.1 200 OK[^]*HTTP\/1.1 503 Service Unavailable/)
})

t.test('a client who closes his connection gives his token back like one who is injected', async (t) => {
  const { app } = await createThrottledApp(t, { max: 1, timeWindow: '1 hour', throttle: { maxDelay: '5 hours' } })
  const arrived: string[] = []
  app.addHook('onRequest', async ({ url }) => { arrived.push(url) })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const resetAfterMs = async () => (await app.rateLimit.peek('ip:127.0.0.1'))[0].resetAfterMs
  await app.inject('/')
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  t.teardown(() => socket.destroy())
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  const soon = async (ms: number) => {
    for (let i = 0; i < 1000 && await resetAfterMs() !== ms; i++) await waitTurns()
    t.equal(await resetAfterMs(), ms)
  }
  await soon(7_200_000)
  t.equal(arrived.length, 1, 'it is held before the hooks that come later')
  socket.destroy()
  await soon(3_600_000)
})

/** An application whose Redis is a port on which nobody listens. */
async function orphan (t: Test, options: RateLimitOptions) {
  const { app, clock, plugin } = bareApp(t)
  await app.register(plugin, { max: 1, timeWindow: '1s', throttle: {}, redis: `redis://127.0.0.1:${await freePort()}`, deadline: 5, breaker: { failures: 1, openFor: '90s' }, ...options })
  app.get('/', async (request) => ({ outcome: request.rateLimit?.outcome }))
  app.get('/local', { config: { rateLimit: { failureMode: 'local' } } }, async () => 'local')
  await app.inject({ url: '/', remoteAddress: '203.0.113.9' })
  return { app, clock }
}

t.test('without Redis a request is held by the local limits', async (t) => {
  const { app, clock } = await orphan(t, { timeWindow: 20 })
  const [first, second] = [app.inject('/'), app.inject('/')]
  t.equal((await first).json().outcome, 'allowed')
  let isHeld = true
  second.then(() => { isHeld = false })
  await waitTurns()
  t.ok(isHeld)
  clock.advance(20_000)
  t.equal((await second).json().outcome, 'delayed')
})

t.test('without Redis nobody is held by open, nor by closed', async (t) => {
  const open = await orphan(t, { failureMode: 'open' })
  for (let i = 0; i < 200; i++) t.match((await open.app.inject('/')).json(), { outcome: 'unavailable' })
  const closed = await orphan(t, { failureMode: 'closed', throttle: { maxQueuedPerClient: 2 } })
  for (let i = 0; i < 5; i++) t.equal((await closed.app.inject('/')).statusCode, 503)
})

t.test('requests that nobody could count leave no place taken', async (t) => {
  const { app } = await orphan(t, { failureMode: 'open', throttle: { maxQueuedPerClient: 2 } })
  await Promise.all(Array.from({ length: 50 }, () => app.inject('/')))
  const answers = Array.from({ length: 4 }, () => app.inject('/local'))
  t.equal((await answers[0]).statusCode, 200)
  t.equal((await answers[3]).statusCode, 429)
  await app.close()
  t.strictSame((await Promise.all(answers)).map(({ statusCode }) => statusCode), [200, 503, 503, 429], 'two were held')
})
