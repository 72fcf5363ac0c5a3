import t from 'tap'
import { limitedApp, SECOND } from '../fixtures/app.js'

t.test('a refusal is a problem document, word for word', async (t) => {
  const { app } = await limitedApp(t, { limits: [{ name: 'burst', max: 20, timeWindow: '1s' }] }, { genReqId: () => 'req-abc' })
  for (let i = 0; i < 20; i++) await app.inject('/')
  const response = await app.inject('/')
  t.equal(response.statusCode, 429)
  t.equal(response.headers['content-type'], 'application/problem+json; charset=utf-8')
  t.strictSame(response.json(), {
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    title: 'Quota Exceeded',
    status: 429,
    detail: "Limit 'burst' of 20 per 1 second exceeded. Retry in 1 second.",
    instance: 'req-abc',
    'violated-policies': ['burst'],
    limit: 20,
    remaining: 0,
    retryAfter: 1
  })
})

t.test('Retry-After is at least 1 second, and rounded up', async (t) => {
  const { app, clock } = await limitedApp(t, { max: 1, timeWindow: '2s' })
  await app.inject('/')
  const waits: unknown[] = []
  for (const passed of [0, 1, 999_999, 999_999]) {
    clock.advance(passed)
    waits.push((await app.inject('/')).headers['retry-after'])
  }
  t.strictSame(waits, ['2', '2', '1', '1'])
  clock.advance(1)
  t.equal((await app.inject('/')).statusCode, 200)
})

t.test('max: 0 refuses without Retry-After', async (t) => {
  for (const algorithm of ['token-bucket', 'sliding-window', 'fixed-window'] as const) {
    const { app } = await limitedApp(t, { max: 0, timeWindow: '1 minute', algorithm, headers: 'both' })
    const response = await app.inject('/')
    t.equal(response.statusCode, 429)
    t.equal(response.headers['retry-after'], undefined)
    t.equal(response.headers['cache-control'], 'no-store')
    t.equal(response.headers.ratelimit, '"default";r=0')
    t.equal(response.json().retryAfter, undefined)
    t.match(response.json().detail, 'Waiting does not help')
  }
})

t.test('a cost above the capacity refuses without Retry-After', async (t) => {
  const { app } = await limitedApp(t, { max: 10, timeWindow: '1 minute', cost: ({ headers }) => Number(headers['x-cost']) })
  const response = await app.inject({ url: '/', headers: { 'x-cost': '11' } })
  t.equal(response.statusCode, 429)
  t.equal(response.headers['retry-after'], undefined)
  t.match(response.json(), { limit: 10, remaining: 10, detail: /send a smaller request/ })
  t.equal((await app.inject({ url: '/', headers: { 'x-cost': '10' } })).statusCode, 200)
})

t.test('a response schema does not change a refusal', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 minute' })
  const schema = { response: { 200: { type: 'string' }, 429: { type: 'object', properties: { only: { type: 'string' } } }, '4xx': { type: 'null' } } }
  app.get('/schema', { schema, config: { rateLimit: { max: 0 } } }, async () => 'hello')
  t.match((await app.inject('/schema')).json(), { status: 429, 'violated-policies': ['default'] })
})

t.test('a serializer of the application does not change a refusal', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 minute' })
  app.setReplySerializer((payload) => JSON.stringify({ wrapped: payload }))
  app.get('/scope', { config: { rateLimit: { max: 0, hook: 'preHandler' } } }, async () => 'hello')
  app.get('/request', {
    config: { rateLimit: { max: 0, hook: 'preHandler' } },
    preHandler: async (_request, reply) => { reply.serializer((payload: unknown) => JSON.stringify({ wrapped: payload })) }
  }, async () => 'hello')
  t.match((await app.inject('/scope')).json(), { status: 429 })
  t.match((await app.inject('/request')).json(), { status: 429 })
})

t.test('hooks on the way out see a refusal', async (t) => {
  const { app } = await limitedApp(t, { max: 0, timeWindow: '1 minute' })
  const seen: unknown[] = []
  app.addHook('onSend', async (_request, reply) => { reply.header('x-out', 'seen') })
  app.addHook('onResponse', async (request, reply) => { seen.push(reply.statusCode, request.rateLimit?.outcome) })
  app.get('/out', async () => 'hello')
  t.equal((await app.inject('/out')).headers['x-out'], 'seen')
  t.strictSame(seen, [429, 'rejected'])
})

t.test('a longer wait is told in words that lose nothing', async (t) => {
  const { app, clock } = await limitedApp(t, { max: 1, timeWindow: '1 hour' })
  await app.inject('/')
  const details: string[] = []
  for (const passed of [0, 60, 30, 3480]) {
    clock.advance(passed * SECOND)
    details.push((await app.inject('/')).json().detail.replace("Limit 'default' of 1 per 1 hour exceeded. ", ''))
  }
  t.strictSame(details, ['Retry in 1 hour.', 'Retry in 59 minutes.', 'Retry in 3510 seconds.', 'Retry in 30 seconds.'])
})
