// Units that are known only when the work is done: reserve, then settle.
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { ALGORITHMS } from '../fixtures/limits.js'
import { bareApp, SECOND, statuses } from '../fixtures/app.js'

/** A model that answers with tokens: 100 are reserved, and what the header says was used is settled. */
async function model (t: Test, options: RateLimitOptions = {}) {
  const parts = bareApp(t)
  await parts.app.register(parts.plugin, { max: 1000, timeWindow: '100s', cost: 100, ...options })
  parts.app.get('/', async (request) => {
    const used = Number(request.headers.used ?? 100)
    if (used > 100) await request.rateLimit?.charge(used - 100)
    if (used < 100) await request.rateLimit?.refund(100 - used)
  })
  return { ...parts, use: async (used: number) => (await parts.app.inject({ url: '/', headers: { used: String(used) } })).statusCode }
}

const left = async (app: FastifyInstance) => (await app.rateLimit.peek('ip:127.0.0.1'))[0].remaining

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: what was reserved is settled, up or down`, async (t) => {
    const { app, use } = await model(t, { algorithm })
    for (const [used, after] of [[40, 960], [100, 860], [260, 600], [0, 600]]) {
      t.equal(await use(used), 200)
      t.equal(await left(app), after)
    }
  })

  t.test(`${algorithm}: debt blocks until it is paid, and not longer than told`, async (t) => {
    const { app, clock, use } = await model(t, { algorithm })
    t.equal(await use(1300), 200)
    t.equal(await left(app), 0)
    const refused = await app.inject('/')
    t.equal(refused.statusCode, 429)
    const waitUs = Number(refused.headers['retry-after']) * SECOND
    clock.advance(waitUs - SECOND - 1)
    t.equal(await use(100), 429, 'a second sooner it is not paid')
    clock.advance(SECOND + 1)
    t.equal(await use(100), 200)
  })

  t.test(`${algorithm}: no debt holds a client for more than one extra window`, async (t) => {
    const { clock, use } = await model(t, { algorithm })
    for (let i = 0; i < 3; i++) await use(1_000_000_000)
    clock.advance(200 * SECOND)
    t.equal(await use(100), 200)
  })

  t.test(`${algorithm}: no more is given back than was taken, however often`, async (t) => {
    const { app, clock, plugin } = bareApp(t)
    await app.register(plugin, { max: 10, timeWindow: '1 hour', algorithm })
    app.get('/paid', async () => 'paid')
    app.get('/', { config: { rateLimit: { cost: 2 } } }, async ({ rateLimit }) => {
      await rateLimit?.refund(1)
      await rateLimit?.refund(1_000_000)
      await rateLimit?.refund(2)
    })
    await statuses(app, 3, '/paid')
    t.strictSame(await statuses(app, 30), Array(30).fill(200))
    t.equal(await left(app), 7)
    clock.advance(SECOND)
    t.equal(await left(app), 7)
  })

  t.test(`${algorithm}: work that outlives its client is settled all the same`, async (t) => {
    const { app, plugin } = bareApp(t)
    let settle = () => {}
    let done = () => {}
    const isDone = new Promise<void>((resolve) => { done = resolve })
    await app.register(plugin, { max: 1000, timeWindow: '1 hour', cost: 100, algorithm, refundOn: ['2xx'] })
    app.get('/:used', async ({ rateLimit, url }) => {
      await new Promise<void>((resolve) => { settle = resolve })
      const used = Number(url.slice(1))
      if (used > 100) await rateLimit?.charge(used - 100)
      else await rateLimit?.refund(100 - used)
      done()
    })
    await app.ready()
    const aborter = new AbortController()
    const answer = app.inject({ url: '/350', signal: aborter.signal })
    await new Promise((resolve) => { setImmediate(resolve) })
    aborter.abort()
    await t.rejects(answer)
    t.equal(await left(app), 900, 'whoever leaves has paid what was reserved')
    settle()
    await isDone
    t.equal(await left(app), 650)
  })
}

t.test('a request that was refused has nothing to give back', async (t) => {
  const { app, plugin } = bareApp(t)
  await app.register(plugin, {
    max: 1,
    timeWindow: '1 hour',
    errorResponseBuilder: (_request, decision) => {
      decision.refund(1)
      return {}
    }
  })
  app.get('/', async () => 'hello')
  t.strictSame(await statuses(app, 3), [200, 429, 429])
})

t.test('what an exempt request settles is nobody\'s', async (t) => {
  const { app } = await model(t, { exempt: { when: ({ headers }) => headers.staff !== undefined } })
  await app.inject({ url: '/', headers: { staff: 'yes', used: '500' } })
  t.equal(await left(app), 1000)
})

t.test('a check is settled like a request', async (t) => {
  const { app, plugin } = bareApp(t)
  await app.register(plugin, { max: 10, timeWindow: '1 hour', global: false })
  app.get('/', async (request) => {
    const decision = await app.rateLimit.check(request, { groupId: 'jobs', max: 10, timeWindow: '1 hour', cost: 4 })
    await decision?.refund(1)
    await decision?.charge(3)
  })
  await app.inject('/')
  t.match((await app.rateLimit.peek('ip:127.0.0.1')).find(({ scope }) => scope === 'group:jobs'), { remaining: 4 })
})

t.test('a charge afterwards holds those who are throttled back', async (t) => {
  const { app, clock, plugin } = bareApp(t)
  await app.register(plugin, { max: 1, timeWindow: '1s', throttle: { maxDelay: '2s' } })
  app.get('/', async ({ rateLimit }) => { rateLimit?.charge(100) })
  app.get('/check', { config: { rateLimit: false } }, async (request) => (await app.rateLimit.check(request))?.retryAfterMs)
  await app.inject('/')
  // One more window, or the longest that a request may wait.
  t.equal((await app.inject('/check')).body, '3000')
  t.strictSame(await statuses(app, 1), [429])
  clock.advance(3 * SECOND)
  t.strictSame(await statuses(app, 1), [200])
})

for (const units of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
  t.test(`${units} is no number of units`, async (t) => {
    const { app, plugin } = bareApp(t)
    await app.register(plugin, { max: 10, timeWindow: '1 hour' })
    app.get('/', async ({ rateLimit }) => {
      t.throws(() => rateLimit?.charge(units), { code: 'FST_SLUICE_BAD_UNITS' })
      t.throws(() => rateLimit?.refund(units), { code: 'FST_SLUICE_BAD_UNITS' })
    })
    await app.inject('/')
    t.equal(await left(app), 9)
  })
}

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: the decision shows what is left after a charge and a refund`, async (t) => {
    const { app } = await model(t)
    const limits = [{ name: 'first', max: 50, timeWindow: '100s', algorithm }, { name: 'second', max: 80, timeWindow: '100s', algorithm }]
    const shown: unknown[] = []
    app.get('/work', { config: { rateLimit: { limits, cost: 20 } } }, async (request) => {
      const { rateLimit } = request
      const look = async () => {
        const peeked = (await app.rateLimit.peek('ip:127.0.0.1')).filter(({ scope }) => scope === 'route:GET /work')
        t.strictSame(rateLimit?.standings.map(({ remaining }) => remaining), peeked.map(({ remaining }) => remaining))
        shown.push(rateLimit?.remaining)
      }
      await look()
      for (const units of [-5, 10, -100, 500]) {
        await (units < 0 ? rateLimit?.refund(-units) : rateLimit?.charge(units))
        await look()
      }
    })
    await app.inject('/work')
    t.strictSame(shown, [30, 35, 25, 40, 0])
  })
}
