import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import t from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { limitedApp, MS, SECOND, statuses } from '../fixtures/app.js'
import { createStoreApp, requestAs, byHeaders, eachStore, createTimedApp, type TimedApp } from '../fixtures/each-store.js'
import { startRedis } from '../fixtures/redis-server.js'

const ABNORMAL = 'https://iana.org/assignments/http-problem-types#abnormal-usage-detected'
const limit = { max: 1, timeWindow: '1s' } as const
const penalty = { strikes: 3, within: '1 hour', cooldown: '1s' } as const

function isBlocked (response: LightMyRequestResponse): boolean {
  return response.statusCode === 429 && response.json().type === ABNORMAL
}

/** Most requests of one second: Redis hears of refusals that were answered without it at the next call. */
const MOST = 400

/** Ask until a block begins, and answer the refusal that says so. */
async function blocked ({ app, wait }: Pick<TimedApp, 'app' | 'wait'>, request: InjectOptions | string = '/'): Promise<LightMyRequestResponse> {
  for (let asked = 0; asked < MOST; asked++) {
    const response = await app.inject(request)
    if (isBlocked(response)) return response
    // In memory no time passes, and none needs to.
    if (asked > 20) await wait(20)
  }
  throw new Error('nobody was blocked')
}

// In real time, so all of them at once.
t.test('on each store', { jobs: 12 }, async (t) => {
  for (const store of await eachStore()) {
    t.test(`${store.name}: who goes on after refusals is blocked, and served when it is told`, { buffered: true }, async (t) => {
      const parts = await createTimedApp(t, store, { ...limit, penalty })
      const response = await blocked(parts)
      t.equal(response.headers['retry-after'], '1')
      t.equal(response.headers['cache-control'], 'no-store')
      t.match(response.headers['content-type'], /^application\/problem\+json/)
      t.match(response.json(), { title: 'Abnormal Usage Detected', status: 429, 'violated-policies': ['default'], retryAfter: 1 })
      t.strictSame(await statuses(parts.app, 1, { url: '/', remoteAddress: '203.0.113.9' }), [200], 'nobody else')
      await parts.wait(1000)
      t.strictSame(await statuses(parts.app, 1), [200])
    })

    t.test(`${store.name}: each block is longer, up to the longest, and each Retry-After is true`, { buffered: true }, async (t) => {
      const parts = await createTimedApp(t, store, { ...limit, penalty: { ...penalty, maxCooldown: '3s' } })
      for (const seconds of [1, 2, 3, 3]) {
        const response = await blocked(parts)
        t.equal(response.headers['retry-after'], String(seconds))
        await parts.wait(seconds * 1000)
        t.strictSame(await statuses(parts.app, 1), [200])
      }
    })

    t.test(`${store.name}: a quiet time forgives`, { buffered: true }, async (t) => {
      const parts = await createTimedApp(t, store, { ...limit, penalty: { ...penalty, within: '5s' } })
      await blocked(parts)
      await parts.wait(1000)
      t.equal((await blocked(parts)).headers['retry-after'], '2')
      await parts.wait(2000 + 2 * 5000)
      t.equal((await blocked(parts)).headers['retry-after'], '1')
    })

    t.test(`${store.name}: onBlocked is called once for each block, onExceeded for each refusal`, { buffered: true }, async (t) => {
      const seen: unknown[] = []
      let exceeded = 0
      const options: RateLimitOptions = {
        ...limit,
        penalty,
        onBlocked: (_request, { outcome, client, retryAfterMs }) => { seen.push([outcome, client.id, retryAfterMs]) },
        onExceeded: () => { exceeded++ }
      }
      const parts = await createTimedApp(t, store, options)
      await blocked(parts)
      const before = exceeded
      for (const status of await statuses(parts.app, 10)) t.equal(status, 429)
      t.equal(exceeded, before + 10)
      t.strictSame(seen, [['blocked', '127.0.0.1', 1000]])
      await parts.wait(1000)
      await blocked(parts)
      await statuses(parts.app, 10)
      t.strictSame(seen, [['blocked', '127.0.0.1', 1000], ['blocked', '127.0.0.1', 2000]])
    })

    t.test(`${store.name}: reset lifts a block and forgets what led to it`, { buffered: true }, async (t) => {
      const parts = await createTimedApp(t, store, { ...limit, timeWindow: '1 hour', penalty: { ...penalty, cooldown: '1 hour' } })
      await blocked(parts)
      t.match(await parts.app.rateLimit.peek('ip:127.0.0.1'), [{ isExceeded: true, retryAfterMs: Number }])
      t.equal(await parts.app.rateLimit.reset('ip:127.0.0.1'), 2, 'its bucket and its strikes')
      t.strictSame(await statuses(parts.app, 2), [200, 429])
      t.equal((await blocked(parts)).headers['retry-after'], '3600', 'the next block is a first one')
    })

    t.test(`${store.name}: of a route without limits of its own, refusals there block there, and a reset lifts that`, { buffered: true }, async (t) => {
      const parts = await createTimedApp(t, store, { max: 1, timeWindow: '1 hour' }, (app) => {
        app.get('/strict', { config: { rateLimit: { penalty: { ...penalty, cooldown: '1 hour' } } } }, async () => 'strict')
        // It shares the buckets, and has no penalty.
        app.get('/other', { config: { rateLimit: { cost: 1 } } }, async () => 'other')
      })
      await blocked(parts, '/strict')
      t.notOk(isBlocked(await parts.app.inject('/other')), 'elsewhere the limit refuses, and nothing else')
      await parts.app.rateLimit.reset('ip:127.0.0.1')
      t.strictSame(await statuses(parts.app, 1, '/strict'), [200])
    })

    t.test(`${store.name}: the strikes of a user's tiers count together, and a block holds in all`, { buffered: true }, async (t) => {
      const parts = await createTimedApp(t, store, { identify: byHeaders, max: 1, timeWindow: '1 hour', tiers: { premium: { max: 2 } }, penalty: { ...penalty, cooldown: '1 hour' } })
      await blocked(parts, requestAs('1'))
      t.ok(isBlocked(await parts.app.inject(requestAs('1', 'premium'))))
      t.notOk(isBlocked(await parts.app.inject(requestAs('2', 'premium'))))
    })

    const innocent: ReadonlyArray<readonly [what: string, options: RateLimitOptions]> = [
      // A penalty beside nothing but limits for all would be refused.
      ['a limit for all', { max: 1, timeWindow: '1 hour', by: 'global', tiers: { premium: { by: 'client' } } }],
      ['a limit on trial', { max: 1, timeWindow: '1 hour', mode: 'shadow' }],
      ['maintenance', { max: 0, timeWindow: '1 hour' }],
      ['a cost above the capacity', { max: 2, timeWindow: '1 hour', cost: () => 3 }]
    ]
    for (const [what, options] of innocent) {
      t.test(`${store.name}: ${what} earns no strikes`, { buffered: true }, async (t) => {
        const { app, wait } = await createTimedApp(t, store, { ...options, penalty: { ...penalty, strikes: 1 } })
        // Beyond a second, in which refusals may be answered without Redis.
        for (let round = 0; round < 3; round++) {
          for (let i = 0; i < 5; i++) {
            const response = await app.inject('/')
            if (response.statusCode !== 200) t.notOk(isBlocked(response))
          }
          await wait(550)
        }
      })
    }

    t.test(`${store.name}: a request that a limit for all refuses beside the client's own is a strike all the same`, { buffered: true }, async (t) => {
      const parts = await createTimedApp(t, store, {
        penalty,
        limits: [{ name: 'own', max: 1, timeWindow: '1 hour' }, { name: 'all', max: 1, timeWindow: '1 hour', by: 'global' }]
      })
      t.match((await blocked(parts)).json(), { 'violated-policies': ['own', 'all'] })
    })
  }
})

t.test('with instances on one Redis a block holds on all, and onBlocked is called on one', async (t) => {
  const [, redis] = await eachStore()
  const options = redis.options()
  const onOne = { name: 'redis', options: () => options } as const
  let calls = 0
  const settings: RateLimitOptions = { max: 1, timeWindow: '1 hour', penalty: { ...penalty, cooldown: '1 hour' }, onBlocked: () => { calls++ } }
  const first = await createStoreApp(t, onOne, settings)
  const second = await createTimedApp(t, onOne, settings)
  await blocked({ app: first.app, wait: second.wait })
  await blocked(second)
  t.equal(calls, 1)
})

t.test('a block that Redis reported holds to its end while Redis is away', async (t) => {
  const server = await startRedis(t)
  const store = { name: 'redis', options: () => ({ redis: server.url, deadline: 200 }) } as const
  const parts = await createTimedApp(t, store, { ...limit, penalty: { ...penalty, cooldown: '4s' } })
  const { app } = parts
  const told = Number((await blocked(parts)).headers['retry-after'])
  const began = performance.now()
  await server.stop()
  // Past the second for which a refusal is believed without asking.
  await parts.wait(1200)
  const response = await app.inject('/')
  // A machine that was busy for seconds has nothing to say of it.
  if (performance.now() - began < 4000) {
    t.ok(isBlocked(response))
    t.ok(Number(response.headers['retry-after']) <= told)
  }
  t.strictSame(await statuses(app, 1, { url: '/', remoteAddress: '203.0.113.9' }), [200], 'others have their limits here')
  await parts.wait(4000)
  t.strictSame(await statuses(app, 1), [200])
})

t.test('blocks end to the microsecond', async (t) => {
  const { app, clock } = await limitedApp(t, { ...limit, penalty })
  const outcomes = async (times: number) => await Promise.all(Array.from({ length: times }, async () => {
    const response = await app.inject('/')
    return isBlocked(response) ? 'blocked' : response.statusCode
  }))
  t.strictSame(await outcomes(6), [200, 429, 429, 'blocked', 'blocked', 'blocked'], 'the refusal that is the last strike says so itself')
  clock.advance(SECOND - 1)
  t.strictSame(await outcomes(3), ['blocked', 'blocked', 'blocked'], 'which are no strikes')
  clock.advance(1)
  t.strictSame(await outcomes(2), [200, 429])
})

t.test('strikes that are further apart than within block nobody', async (t) => {
  const { app, clock } = await limitedApp(t, { max: 1, timeWindow: '1 hour', algorithm: 'fixed-window', penalty: { ...penalty, within: '10s' } })
  await app.inject('/')
  for (let i = 0; i < 20; i++) {
    t.notOk(isBlocked(await app.inject('/')))
    clock.advance(5001 * MS)
  }
})

t.test('a blocked request is charged nothing, and its handler does not run', async (t) => {
  let runs = 0
  const { app, clock } = await limitedApp(t, { max: 5, timeWindow: '5s', algorithm: 'fixed-window', penalty: { ...penalty, cooldown: '1 minute' } })
  app.get('/run', async () => { runs++ })
  await statuses(app, 20, '/run')
  t.equal(runs, 5)
  clock.advance(30 * SECOND)
  await statuses(app, 20, '/run')
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 5, isExceeded: true, retryAfterMs: 30_000 }])
  clock.advance(30 * SECOND)
  await statuses(app, 20, '/run')
  t.equal(runs, 10)
})

const places: ReadonlyArray<readonly [where: string, options: RateLimitOptions, declare: (app: FastifyInstance) => void]> = [
  ['a rule', { rules: [{ name: 'login', match: '/login', max: 1, penalty }] }, (app) => { app.get('/login', async () => 'in') }],
  ['a route', {}, (app) => { app.get('/login', { config: { rateLimit: { max: 1, penalty } } }, async () => 'in') }],
  ['a group', {}, (app) => { app.get('/login', { config: { rateLimit: { max: 1, groupId: 'login', penalty } } }, async () => 'in') }]
]
for (const [where, options, declare] of places) {
  t.test(`a penalty of ${where} blocks there only`, async (t) => {
    const { app } = await limitedApp(t, { max: 100, ...options })
    declare(app)
    await statuses(app, 5, '/login')
    t.ok(isBlocked(await app.inject('/login')))
    t.strictSame(await statuses(app, 1), [200])
  })
}

t.test('a route can do without the inherited penalty', async (t) => {
  const { app } = await limitedApp(t, { max: 1, penalty: { ...penalty, strikes: 1 } })
  app.get('/mild', { config: { rateLimit: { penalty: false } } }, async () => 'mild')
  await statuses(app, 3)
  t.ok(isBlocked(await app.inject('/')))
  t.notOk(isBlocked(await app.inject('/mild')))
})
