// Requests under a policy with a later hook that end before that hook.
import type { InjectOptions } from 'fastify'
import fc from 'fast-check'
import t from 'tap'
import type { RouteRateLimit } from '../../lib/index.js'
import { bareApp, limitedApp, remainders, statuses, SECOND } from '../fixtures/app.js'
import { createStoreApp, eachStore } from '../fixtures/each-store.js'
import { assertPropertyAsync } from '../fixtures/property.js'
import { freePort } from '../fixtures/redis-server.js'
import { readSeries } from '../observability/metrics/samples.js'

const HOOKS = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const
const TIGHT = { max: 2, timeWindow: '1 minute', hook: 'preHandler' } as const

const malformed: InjectOptions = { method: 'POST', url: '/', payload: '{', headers: { 'content-type': 'application/json' } }
const good: InjectOptions = { ...malformed, payload: '{"name":"ada"}' }
const from = (remoteAddress: string, request: InjectOptions) => ({ ...request, remoteAddress })
const as = (user: string, request: InjectOptions) => ({ ...request, headers: { ...request.headers, user } })

const nameOf = (request: { body: unknown }) => (request.body as { name: string }).name

t.test('whatever mix of requests comes, at once or in turn, an address is answered as often as its limit allows', async (t) => {
  const one = fc.record({ isGood: fc.boolean(), isAtOnce: fc.boolean() })
  const setup = fc.record({ hook: fc.constantFrom(...HOOKS), algorithm: fc.constantFrom('token-bucket', 'sliding-window', 'fixed-window'), max: fc.integer({ min: 0, max: 4 }) })
  await assertPropertyAsync(fc.tuple(setup, fc.array(one, { minLength: 1, maxLength: 12 })), 60, async ([limit, requests]) => {
    const { app } = await limitedApp(t, { ...limit, timeWindow: '1 hour' })
    app.post('/', async () => 'hello')
    const pending: Array<Promise<number>> = []
    for (const { isGood, isAtOnce } of requests) {
      const answer = app.inject(isGood ? good : malformed).then(({ statusCode }) => statusCode)
      pending.push(answer)
      if (!isAtOnce) await answer
    }
    const answered = (await Promise.all(pending)).filter((status) => status !== 429).length
    await app.close()
    if (answered !== Math.min(limit.max, requests.length)) throw new Error(`${answered} answered`)
  })
})

t.test('a thousand malformed bodies at once are answered as often as all limits of a login allow', async (t) => {
  const { app } = await limitedApp(t, {})
  const rateLimit: RouteRateLimit = {
    limits: [{ name: 'account', max: 5, timeWindow: '15 minutes' }, { name: 'address', max: 20, timeWindow: '15 minutes', by: 'ip' }],
    keyGenerator: nameOf,
    hook: 'preHandler',
    refundOn: ['2xx']
  }
  app.post('/', { config: { rateLimit } }, async () => 'welcome')
  const codes = await Promise.all(Array.from({ length: 1000 }, () => app.inject(malformed).then(({ statusCode }) => statusCode)))
  t.equal(codes.filter((code) => code === 400).length, 5)
  const refused = await app.inject(good)
  t.equal(refused.statusCode, 429)
  t.match(refused.headers, { 'retry-after': /^\d+$/, 'x-ratelimit-remaining': '0' })
  t.strictSame(await statuses(app, 1, from('203.0.113.9', good)), [200])
})

t.test('in turn, malformed bodies are charged in every limit of the address', async (t) => {
  const { app } = await limitedApp(t, {})
  app.post('/', { config: { rateLimit: { ...TIGHT, keyGenerator: nameOf } } }, async () => 'hello')
  t.strictSame(await statuses(app, 4, malformed), [400, 400, 429, 429])
  t.strictSame(await statuses(app, 3, from('203.0.113.9', good)), [200, 200, 429], 'a key has its own units')
})

t.test('a user with units left passes an exhausted address, at its own cost', async (t) => {
  const { app } = await limitedApp(t, {
    ...TIGHT,
    identify: { custom: ({ headers: { user } }) => typeof user === 'string' ? { id: user } : null },
    tiers: { standard: { max: 3, timeWindow: '1 minute' } }
  })
  app.post('/', async () => 'hello')
  t.strictSame(await statuses(app, 3, malformed), [400, 400, 429])
  t.strictSame(await statuses(app, 2, as('ada', good)), [200, 200])
  t.strictSame(await statuses(app, 2, as('ada', malformed)), [400, 429])
  t.strictSame(await statuses(app, 1, as('bob', good)), [200])
})

t.test('identify.custom may miss what a later hook sets: its error is not reported, and it is called again', async (t) => {
  const { app, log } = await limitedApp(t, { ...TIGHT, identify: { custom: (request) => ({ id: nameOf(request) }) } })
  app.post('/', async (request) => request.rateLimit?.client.partition)
  t.strictSame(await statuses(app, 3, malformed), [400, 400, 429])
  t.equal((await app.inject(from('203.0.113.9', good))).body, 'user:ada')
  t.strictSame(log, [])
})

t.test('what is exempt is neither asked for nor charged', async (t) => {
  const { app } = await limitedApp(t, { ...TIGHT, exempt: { ips: ['203.0.113.9'], when: ({ headers }) => headers.user === 'probe' } })
  app.post('/', async () => 'hello')
  t.strictSame(await statuses(app, 3, from('203.0.113.9', malformed)), [400, 400, 400])
  t.strictSame(await statuses(app, 3, as('probe', malformed)), [400, 400, 400])
  t.strictSame(await statuses(app, 3, malformed), [400, 400, 429])
  t.strictSame(await statuses(app, 2, as('probe', malformed)), [400, 400])
})

t.test('an unlimited tier, and a cost of 0, stay free', async (t) => {
  const { app } = await limitedApp(t, { ...TIGHT, tiers: { anonymous: false } })
  app.post('/', async () => 'hello')
  app.post('/free', { config: { rateLimit: { max: 1, hook: 'preHandler', cost: 0 } } }, async () => 'hello')
  t.strictSame(await statuses(app, 3, malformed), [400, 400, 400])
  t.strictSame(await statuses(app, 3, { ...malformed, url: '/free' }), [400, 400, 400])
})

t.test('refundOn applies to a request that ends before the hook', async (t) => {
  const { app } = await limitedApp(t, { ...TIGHT, refundOn: ['4xx', '2xx'] })
  app.post('/', { preValidation: async (request, reply) => request.headers.user === 'cached' ? reply.send('cached') : undefined }, async () => 'hello')
  t.strictSame(await statuses(app, 3, malformed), [400, 400, 400])
  t.strictSame(await statuses(app, 3, as('cached', good)), [200, 200, 200])
})

t.test('a cost by function that misses the body costs one unit at least, and is not reported', async (t) => {
  const costs: Array<RouteRateLimit['cost']> = [(request) => nameOf(request).length, () => 0, () => NaN]
  for (const cost of costs) {
    const { app, log } = await limitedApp(t, { ...TIGHT, cost })
    app.post('/', async () => 'hello')
    t.strictSame(await statuses(app, 3, malformed), [400, 400, 429])
    t.strictSame(log, [])
  }
})

t.test('a cost above what is left, by a body that breaks the schema, is refused, and costs nothing', async (t) => {
  const { app } = await limitedApp(t, { ...TIGHT, max: 10, cost: (request) => (request.body as { units: number }).units })
  app.post('/', { schema: { body: { type: 'object', required: ['name'] } } }, async () => 'hello')
  const greedy = { ...malformed, payload: '{"units":1e12}' }
  t.strictSame(await statuses(app, 2, greedy), [429, 429])
  t.strictSame(await statuses(app, 2, { ...malformed, payload: '{"units":7}' }), [400, 429])
  t.strictSame(await statuses(app, 1, malformed), [400])
})

t.test('max: 0 refuses before the body is read', async (t) => {
  const { app } = await limitedApp(t, { max: 0, timeWindow: '1 minute', hook: 'preHandler' })
  app.post('/', async () => 'hello')
  const refused = await app.inject(malformed)
  t.equal(refused.statusCode, 429)
  t.equal(refused.headers['retry-after'], undefined)
})

t.test('a flood at onRequest is struck, blocked, and told when to come back', async (t) => {
  const { app, clock } = await limitedApp(t, { ...TIGHT, penalty: { strikes: 2, cooldown: '5 minutes' } })
  app.post('/', async () => 'hello')
  t.strictSame(await statuses(app, 3, malformed), [400, 400, 429])
  const blocked = await app.inject(malformed)
  t.match(blocked.headers, { 'retry-after': '300' })
  t.match((await app.rateLimit.blocked()).blocked, [{ scope: 'default' }])
  clock.advance(300 * SECOND)
  t.strictSame(await statuses(app, 1, malformed), [400])
})

t.test('a throttled policy asks for the longest delay, not for a token', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 minute', hook: 'preHandler', throttle: { maxDelay: '2 minutes' } })
  app.post('/', async () => 'hello')
  t.strictSame(await statuses(app, 5, malformed), [400, 400, 400, 429, 429], 'one token, and two of the next two minutes')
})

t.test('limits in shadow mode refuse nothing, and count it', async (t) => {
  const { app } = await limitedApp(t, { ...TIGHT, mode: 'shadow' })
  app.post('/', async () => 'hello')
  t.strictSame(await statuses(app, 3, malformed), [400, 400, 400])
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 0, mode: 'shadow' }])
})

t.test('each one is in the metrics once', async (t) => {
  const { app } = await limitedApp(t, TIGHT)
  app.post('/', async () => 'hello')
  for (const request of [good, malformed, malformed]) await app.inject(request)
  const registry = app.rateLimit.metrics
  if (registry === null) throw new Error('no metrics')
  t.strictSame(await readSeries({ registry }, 'rate_limit_requests_total'), {
    '{route="/",tier="anonymous",outcome="allowed"}': 2,
    '{route="/",tier="anonymous",outcome="rejected"}': 1
  })
})

for (const [failureMode, expected] of [['local', [400, 400, 429]], ['open', [400, 400, 400]], ['closed', [503, 503, 503]]] as const) {
  t.test(`without Redis, ${failureMode} holds before the hook too, and a fallback is counted once`, async (t) => {
    const { app, plugin } = bareApp(t)
    await app.register(plugin, { ...TIGHT, failureMode, redis: `redis://127.0.0.1:${await freePort()}`, deadline: 5, breaker: { failures: 1, openFor: '90s' } })
    app.post('/', async () => 'hello')
    t.strictSame(await statuses(app, 3, malformed), expected)
    await app.inject(from('203.0.113.9', good))
    const registry = app.rateLimit.metrics
    if (registry === null) throw new Error('no metrics')
    const counted = Object.values(await readSeries({ registry }, 'rate_limit_fallback_total')).reduce((sum, count) => sum + count, 0)
    t.equal(counted, failureMode === 'closed' ? 4 : 1)
  })
}

t.test('an application that continues after the client has left is limited by its hook, and charged once', async (t) => {
  const { app } = await limitedApp(t, { ...TIGHT, max: 5 })
  let go = () => {}
  const waiting = new Promise<void>((resolve) => { go = resolve })
  const seen: unknown[] = []
  app.post('/', { onRequest: async () => { await waiting } }, async (request) => { seen.push(request.rateLimit?.remaining) })
  const controller = new AbortController()
  const left = app.inject({ ...malformed, payload: undefined, headers: {}, signal: controller.signal }).catch(() => {})
  await new Promise((resolve) => { setImmediate(resolve) })
  controller.abort()
  await left
  await new Promise((resolve) => { setImmediate(resolve) })
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 4 }])
  go()
  await new Promise((resolve) => { setImmediate(resolve) })
  t.strictSame(seen, [4])
  t.strictSame(await remainders(app, '/'), [3])
})

t.test('each store holds a flood', async (t) => {
  for (const store of await eachStore()) {
    const { app } = await createStoreApp(t, store, {}, (app) => {
      app.post('/', { config: { rateLimit: { max: 3, timeWindow: '1 hour', keyGenerator: nameOf, hook: 'preHandler', penalty: { strikes: 50 } } } }, async () => 'hello')
    })
    t.strictSame(await statuses(app, 5, malformed), [400, 400, 400, 429, 429], store.name)
    t.strictSame(await statuses(app, 1, from('203.0.113.9', good)), [200], store.name)
    t.match((await app.rateLimit.peek('ip:127.0.0.1')).find(({ scope }) => scope === 'route:POST /'), { remaining: 0 }, store.name)
    t.match((await app.rateLimit.peek('key:ada')).find(({ scope }) => scope === 'route:POST /'), { remaining: 2 }, store.name)
  }
})
