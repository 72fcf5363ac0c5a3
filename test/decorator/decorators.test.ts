import type { FastifyRequest } from 'fastify'
import t from 'tap'
import type { Decision, RateLimitOptions } from '../../lib/index.js'
import { limitedApp, remainders, SECOND, statuses } from '../fixtures/app.js'
import { freePort } from '../fixtures/redis-server.js'

/** The decision of a request, after it was answered. */
function catcher (): { readonly look: (request: FastifyRequest) => Promise<string>, readonly caught: Decision[] } {
  const caught: Decision[] = []
  return {
    caught,
    look: async ({ rateLimit }) => {
      if (rateLimit !== null) caught.push(rateLimit)
      return 'caught'
    }
  }
}

t.test('check decides and charges, and writes nothing to the response', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute', global: false })
  app.get('/check', async (request) => {
    const decision = await app.rateLimit.check(request, { max: 2, groupId: 'messages', cost: 1 })
    return { outcome: decision?.outcome, remaining: decision?.remaining, own: request.rateLimit }
  })
  const answers = [await app.inject('/check'), await app.inject('/check'), await app.inject('/check')]
  t.strictSame(answers.map((answer) => answer.json()), [
    { outcome: 'allowed', remaining: 1, own: null }, { outcome: 'allowed', remaining: 0, own: null }, { outcome: 'rejected', remaining: 0, own: null }
  ])
  t.equal(answers[2].statusCode, 200)
  t.equal(answers[2].headers['x-ratelimit-limit'], undefined)
})

t.test('two checks of different groups are apart', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute', global: false })
  app.get('/check', async (request) => {
    const one = await app.rateLimit.check(request, { max: 5, groupId: 'one' })
    const two = await app.rateLimit.check(request, { max: 3, groupId: 'two' })
    return [one?.remaining, two?.remaining]
  })
  t.strictSame((await app.inject('/check')).json(), [4, 2])
  t.strictSame((await app.inject('/check')).json(), [3, 1])
})

t.test('options that are written anew for each check, or for each guard, are one policy', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute', global: false })
  const options = () => ({ max: 5, groupId: 'exports', timeWindow: '1 minute' })
  app.get('/one', { preHandler: [app.rateLimit(options()), app.rateLimit(options())] }, async (request) => request.rateLimit?.remaining)
  app.get('/other', { preHandler: [app.rateLimit(options()), app.rateLimit({ ...options(), cost: 2 })] }, async (request) => request.rateLimit?.remaining)
  t.equal((await app.inject('/one')).body, '4', 'and a policy charges a request once')
  t.equal((await app.inject('/other')).body, '1', 'others charge for themselves')
})

t.test('what is no option is told, though it has no words', async (t) => {
  const { app } = await limitedApp(t, {})
  const cycle: { groupId: string, tiers?: object } = { groupId: 'a' }
  cycle.tiers = { a: cycle }
  const wrong: object = cycle
  t.throws(() => app.rateLimit(wrong), { code: 'FST_SLUICE_UNKNOWN_OPTION' })
})

const refusals: ReadonlyArray<readonly [outcome: string, isRefused: boolean, options: RateLimitOptions, redis: boolean]> = [
  ['allowed', false, { max: 1 }, false],
  ['rejected', true, { max: 0 }, false],
  ['allowed', false, { max: 0, mode: 'shadow' }, false],
  ['exempt', false, { max: 0, exempt: { ips: ['127.0.0.1'] } }, false],
  ['unavailable', false, { failureMode: 'open' }, true],
  ['unavailable', true, { failureMode: 'closed' }, true],
  ['unavailable', false, { failureMode: 'closed', mode: 'shadow' }, true]
]

for (const [outcome, isRefused, options, isOnRedis] of refusals) {
  t.test(`${outcome} with ${JSON.stringify(options)} is ${isRefused ? '' : 'not '}refused`, async (t) => {
    const redis = isOnRedis ? { redis: `redis://127.0.0.1:${await freePort()}`, deadline: 5, breaker: { failures: 1 } } : {}
    const { app } = await limitedApp(t, { timeWindow: '1 hour', ...options, ...redis })
    app.get('/check', { config: { rateLimit: false } }, async (request) => await app.rateLimit.check(request).then((decision) => [decision?.outcome, decision?.isRefused]))
    t.strictSame((await app.inject('/check')).json(), [outcome, isRefused])
  })
}

t.test('check answers null while the registration is switched off', async (t) => {
  const { app } = await limitedApp(t, { enabled: false })
  app.get('/check', async (request) => ({ answer: await app.rateLimit.check(request) }))
  t.strictSame((await app.inject('/check')).json(), { answer: null })
})

t.test('peek tells where a partition stands with every scope, and charges nothing', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  app.get('/own', { config: { rateLimit: { max: 2, timeWindow: '10s' } } }, async () => 'own')
  await statuses(app, 2)
  await statuses(app, 3, '/own')
  const expected = [
    { scope: 'default', tier: null, name: 'default', limit: 5, max: 5, windowMs: 60_000, remaining: 3, resetAfterMs: 24_000, retryAfterMs: 0, blockedMs: 0, mode: 'enforce', isExceeded: false },
    { scope: 'route:GET /own', tier: null, name: 'default', limit: 2, max: 2, windowMs: 10_000, remaining: 0, resetAfterMs: 10_000, retryAfterMs: 0, blockedMs: 0, mode: 'enforce', isExceeded: false }
  ]
  t.strictSame(await app.rateLimit.peek('ip:127.0.0.1'), expected)
  t.strictSame(await app.rateLimit.peek('ip:::ffff:127.0.0.1'), expected)
})

t.test('peek takes any address of the client, its subnet, or unknown', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  await app.inject({ url: '/', remoteAddress: '2001:db8:0:ab00::1' })
  await app.inject({ url: '/', remoteAddress: 'garbage' })
  for (const partition of ['ip:2001:db8:0:ab00::1', 'ip:2001:DB8:0:ABFF::9', 'ip:2001:db8:0:ab00::/56', 'ip:unknown']) {
    t.match(await app.rateLimit.peek(partition), [{ remaining: 4 }], partition)
  }
})

t.test('peek shows a partition only what can charge it', async (t) => {
  const { app } = await limitedApp(t, {
    limits: [{ name: 'each', max: 5, timeWindow: '1s' }, { name: 'address', max: 5, timeWindow: '1s', by: 'ip' }, { name: 'all', max: 5, timeWindow: '1s', by: 'global' }]
  })
  await app.inject('/')
  const namesOf = async (partition: string) => (await app.rateLimit.peek(partition)).map(({ name }) => name)
  t.strictSame(await namesOf('ip:127.0.0.1'), ['each', 'address'])
  t.strictSame(await namesOf('key:abc'), ['each'])
  t.strictSame(await namesOf('global'), ['all'])
})

t.test('reset forgets what a partition used, in all scopes, and nobody else\'s', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute' })
  app.get('/own', { config: { rateLimit: { max: 1 } } }, async () => 'own')
  const other = { url: '/', remoteAddress: '203.0.113.9' }
  await statuses(app, 2)
  await statuses(app, 1, '/own')
  await statuses(app, 2, other)
  t.equal(await app.rateLimit.reset('ip:127.0.0.1'), 2)
  t.equal(await app.rateLimit.reset('ip:127.0.0.1'), 0)
  t.strictSame(await remainders(app, '/', '/own'), [1, 0])
  t.strictSame(await statuses(app, 1, other), [429])
})

t.test('what is no partition is refused', async (t) => {
  const { app } = await limitedApp(t, {})
  for (const text of ['', 'ip:', 'ip:garbage', 'ip:1.2.3.4.5', 'key:', '203.0.113.9', 'user:', 'Global', undefined, 5]) {
    await t.rejects(app.rateLimit.peek(text as string), { code: 'FST_SLUICE_BAD_OPTION', message: /^partition: expected a partition such as/ })
    await t.rejects(app.rateLimit.reset(text as string), { code: 'FST_SLUICE_BAD_OPTION' })
  }
})

for (const algorithm of ['token-bucket', 'sliding-window', 'fixed-window'] as const) {
  t.test(`${algorithm}: charge takes more after the fact, at most one window into debt`, async (t) => {
    const { app, clock } = await limitedApp(t, { max: 10, timeWindow: '10s', algorithm })
    const { look, caught } = catcher()
    app.get('/work', look)
    await app.inject('/work')
    t.equal(caught[0].charge(4), undefined, 'memory answers in the same turn')
    t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 5 }])
    caught[0].charge(1e9)
    t.strictSame(await statuses(app, 1), [429])
    clock.advance(10 * SECOND)
    t.strictSame(await statuses(app, 1), [200], 'one extra window at most')
  })

  t.test(`${algorithm}: refund gives back what was taken, and no more`, async (t) => {
    const { app } = await limitedApp(t, { max: 10, timeWindow: '10s', algorithm, cost: 3 })
    const { look, caught } = catcher()
    app.get('/work', look)
    await statuses(app, 2, '/work')
    t.equal(caught[0].refund(1), undefined, 'memory answers in the same turn')
    t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 5 }])
    caught[0].refund(100)
    caught[0].refund(100)
    t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 7 }])
  })

  t.test(`${algorithm}: a refused request has nothing to give back`, async (t) => {
    const refused: Decision[] = []
    const { app } = await limitedApp(t, { max: 1, timeWindow: '10s', algorithm, onExceeded: (_request, decision) => { refused.push(decision) } })
    await statuses(app, 2)
    refused[0].refund(1)
    t.strictSame(await statuses(app, 1), [429])
  })

  t.test(`${algorithm}: a refund after its window gives nothing`, async (t) => {
    const { app, clock } = await limitedApp(t, { max: 4, timeWindow: '10s', algorithm })
    const { look, caught } = catcher()
    app.get('/work', look)
    await app.inject('/work')
    clock.advance(10 * SECOND)
    await statuses(app, 3)
    caught[0].refund(1)
    t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 1 }])
  })
}

t.test('units that are none are refused by name', async (t) => {
  const { app } = await limitedApp(t, {})
  const { look, caught } = catcher()
  app.get('/work', look)
  await app.inject('/work')
  for (const units of [0, -1, 1.5, NaN, Infinity, 2 ** 53, '1' as never, undefined as never]) {
    t.throws(() => caught[0].charge(units), { code: 'FST_SLUICE_BAD_UNITS', message: `request.rateLimit.charge: expected a whole number of units, 1 or more, got ${units}` })
    t.throws(() => caught[0].refund(units), { code: 'FST_SLUICE_BAD_UNITS', message: /^request\.rateLimit\.refund: / })
  }
})

t.test('request.rateLimit tells who was charged, and by what', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute', keyGenerator: () => 'abc' })
  const { look, caught } = catcher()
  app.get('/work', look)
  await app.inject('/work')
  t.match(caught[0], {
    outcome: 'allowed', client: { kind: 'key', id: 'abc', tier: 'anonymous' }, limitName: 'default', limit: 5, remaining: 4, resetAfterMs: 12_000, retryAfterMs: 0
  })
})
