// A request was held for longer than its handlerTimeout: Fastify answered 503 in the meantime.
import t from 'tap'
import { computeMaxHoldUs } from '../../lib/request/hold.js'
import { createThrottledApp } from '../throttle/throttled-app.js'

const SLOW = { max: 1, timeWindow: '1s', throttle: { maxDelay: '10s' } } as const

t.test('no request is held for longer than its handlerTimeout: it is refused, and costs nothing', async (t) => {
  const { app, send, advance } = await createThrottledApp(t, SLOW)
  app.get('/short', { handlerTimeout: 2000 }, async () => 'hello')
  app.get('/long', { handlerTimeout: 5000 }, async () => 'hello')
  const [first, second, third] = [await send({ url: '/short' }), await send({ url: '/short' }), await send({ url: '/short' })]
  t.equal(first.answer?.statusCode, 200)
  t.equal(second.answer, null, 'held for one second of two')
  t.equal(third.answer?.statusCode, 429, 'two seconds are too many')
  t.equal(third.answer?.headers['retry-after'], '1')
  const fourth = await send({ url: '/long' })
  t.equal(fourth.answer, null)
  await advance(1000)
  t.equal(second.answer?.statusCode, 200)
  await advance(1000)
  t.equal(fourth.answer?.statusCode, 200, 'the refused request took no place')
})

t.test('a request that waits as told is held within its handlerTimeout', async (t) => {
  const { app, send, advance } = await createThrottledApp(t, { ...SLOW, max: () => 1 })
  app.get('/short', { handlerTimeout: 500 }, async () => 'hello')
  await send({ url: '/short' })
  const refused = await send({ url: '/short' })
  t.equal(refused.answer?.statusCode, 429)
  await advance(Number(refused.answer?.headers['retry-after']) * 1000)
  const again = await send({ url: '/short' })
  t.equal(again.answer?.statusCode, 200)
})

t.test('of the handlerTimeout, what has passed and a tenth are not for holding', async (t) => {
  const after = (handlerTimeout: number, elapsedTime: number) => {
    return computeMaxHoldUs({ request: { routeOptions: { handlerTimeout } }, elapsedTime } as unknown as Parameters<typeof computeMaxHoldUs>[0])
  }
  t.strictSame([after(0, 5), after(1000, 0), after(1000, 0.3), after(1000, 250), after(1000, 950), after(1000, 1200), after(1, 0)],
    [Infinity, 900_000, 900_000, 700_000, 0, 0, 900])
})
