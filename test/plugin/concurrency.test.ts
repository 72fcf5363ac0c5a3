// The option `concurrency` over HTTP, with the memory store: what takes a slot, and what gives it back.
import t from 'tap'
import { createMemoryStore } from '../../lib/stores/memory/store.js'
import type { Adjustment, Charge, Limit } from '../../lib/stores/store.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { bodyOf, codesOf, createSlotApp } from '../fixtures/slots.js'

const from = (remoteAddress: string) => ({ remoteAddress })

t.test('at most max requests of one client are in flight', async (t) => {
  const { send, finish } = await createSlotApp(t, { concurrency: { max: 2 } })
  const first = [await send(), await send(), await send()]
  t.strictSame(codesOf(first), [null, null, 429])
  t.strictSame(codesOf([await send(from('203.0.113.9'))]), [null], 'another client has slots of its own')
  await finish()
  t.strictSame(codesOf([...first, await send(), await send()]), [200, null, 429, null, 429])
})

t.test('a refusal for a slot says so, charges no rate, and estimates the wait', async (t) => {
  const { app, send } = await createSlotApp(t, { max: 10, timeWindow: 60_000, concurrency: { max: 1 } })
  await send()
  const { answer } = await send()
  t.match(answer?.headers, { 'x-ratelimit-limit': '10', 'x-ratelimit-remaining': '9', 'content-type': /problem/, 'cache-control': 'no-store' })
  t.match(answer?.headers['retry-after'], /^[12]$/)
  t.strictSame(bodyOf(answer), {
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    title: 'Quota Exceeded',
    status: 429,
    'violated-policies': ['concurrency'],
    limit: 1,
    remaining: 0
  })
  t.match(answer?.json().detail, /^Too many requests are in flight: you may send at most 1 at once here\. Retry in [12] seconds?, or when an earlier/)
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 9 }])
})

t.test('a limit of all clients together answers 503', async (t) => {
  const { send } = await createSlotApp(t, { concurrency: { max: 1, by: 'global' } })
  await send()
  const { answer } = await send(from('203.0.113.9'))
  t.equal(answer?.statusCode, 503)
  t.match(bodyOf(answer), { type: /#temporary-reduced-capacity$/, title: 'Temporary Reduced Capacity', status: 503, 'violated-policies': ['concurrency'] })
  t.match(answer?.headers['retry-after'], /^[12]$/)
})

t.test('a refusal by a rate leaves no slot', async (t) => {
  const { send, finish } = await createSlotApp(t, { max: 1, timeWindow: 1000, concurrency: { max: 2 } })
  const pending = [await send(), await send(), await send()]
  t.strictSame(codesOf(pending), [null, 429, 429])
  t.match(pending[1].answer?.json(), { 'violated-policies': ['default'], limit: 1 })
  await finish()
})

t.test('the slots of a route, a rule and a tier are their own; inherited ones are shared', async (t) => {
  const { app, send } = await createSlotApp(t, {
    concurrency: { max: 1 },
    rules: [{ name: 'reports', match: '/reports/*', concurrency: { max: 2 } }],
    identify: { custom: ({ headers }) => ({ id: String(headers.user), tier: String(headers.tier) }) },
    tiers: { gold: { concurrency: { max: 3 } } }
  }, (app, wait) => {
    app.get('/own', { config: { rateLimit: { concurrency: { max: 2 } } } }, wait)
    app.get('/rates', { config: { rateLimit: { max: 5, timeWindow: 1000 } } }, wait)
    app.get('/free', { config: { rateLimit: { concurrency: false } } }, wait)
    app.get('/reports/:id', wait)
  })
  const user = { headers: { user: 'u', tier: 'standard' } }
  const gold = { headers: { user: 'g', tier: 'gold' } }
  t.strictSame(codesOf([await send(user), await send({ ...user, url: '/wait/other' }), await send({ ...user, url: '/rates' })]), [null, 429, 429])
  t.strictSame(codesOf([await send({ ...user, url: '/own' }), await send({ ...user, url: '/own' }), await send({ ...user, url: '/own' })]), [null, null, 429])
  t.strictSame(codesOf([await send({ ...user, url: '/free' }), await send({ ...user, url: '/free' })]), [null, null])
  t.strictSame(codesOf([await send({ ...user, url: '/reports/1' }), await send({ ...user, url: '/reports/2' }), await send({ ...user, url: '/reports/3' })]), [null, null, 429])
  t.strictSame(codesOf([await send(gold), await send(gold), await send(gold), await send(gold)]), [null, null, null, 429])
  t.ok(app.rateLimit)
})

t.test('shadow mode counts, and refuses nothing', async (t) => {
  const { send, app } = await createSlotApp(t, { concurrency: { max: 1, mode: 'shadow' } })
  app.get('/look', async ({ rateLimit }) => rateLimit?.standings)
  const pending = [await send(), await send()]
  t.strictSame(codesOf(pending), [null, null])
  t.match((await send({ url: '/look' })).answer?.json()[1], { name: 'concurrency', kind: 'concurrency', max: 1, remaining: 0, mode: 'shadow', isExceeded: true })
})

t.test('one request holds one slot of a limit, whatever guards it passes', async (t) => {
  const { send } = await createSlotApp(t, { concurrency: { max: 2 } }, (app, wait) => {
    app.get('/guarded', { preHandler: app.rateLimit.guard({ groupId: 'g', max: 5, timeWindow: 1000 }) }, wait)
  })
  const guarded = { url: '/guarded' }
  t.strictSame(codesOf([await send(guarded), await send(guarded), await send(guarded)]), [null, null, 429])
})

t.test('a check holds a slot only if it asks for one, until it is released, once', async (t) => {
  const { app } = await createSlotApp(t, { concurrency: { max: 1 } }, (app) => {
    const options = { groupId: 'jobs', concurrency: { max: 2 } }
    app.get('/plain', async (request) => [await app.rateLimit.check(request), await app.rateLimit.check(request)].map((one) => one?.isRefused))
    app.get('/jobs', async (request) => {
      const checks = [await app.rateLimit.check(request, options), await app.rateLimit.check(request, options), await app.rateLimit.check(request, options)]
      await checks[0]?.release()
      await checks[0]?.release()
      await checks[1]?.[Symbol.asyncDispose]()
      checks[2]?.[Symbol.dispose]()
      return checks.map((one) => one?.isRefused)
    })
  })
  t.strictSame((await app.inject('/plain')).json(), [false, false])
  for (let i = 0; i < 3; i++) t.strictSame((await app.inject('/jobs')).json(), [false, false, true])
})

t.test('consume holds a slot of a partition', async (t) => {
  const { app } = await createSlotApp(t, {})
  const options = { groupId: 'exports', concurrency: { max: 1 } }
  const take = () => app.rateLimit.consume('user:42', options)
  const first = await take()
  t.match(await take(), { isRefused: true, limitName: 'concurrency' })
  await first?.release()
  t.match(await take(), { isRefused: false })
})

t.test('wrong options are refused with their place', async (t) => {
  for (const [concurrency, message] of [
    [{}, 'rateLimit.concurrency.max: expected the number of requests that may be in flight, got nothing'],
    [{ max: 0 }, 'rateLimit.concurrency.max: expected an integer from 1 to 1000000, or "adaptive", got 0'],
    [{ max: 1, by: 'host' }, 'rateLimit.concurrency.by: expected "client" or "ip" or "user" or "global", got "host"'],
    [{ max: 1, lease: 10 }, 'rateLimit.concurrency.lease: expected a duration from 1 second to 1 hour, got 10'],
    [{ max: 1, maxx: 1 }, /rateLimit\.concurrency\.maxx: unknown option/]
  ] as const) {
    await t.rejects(createSlotApp(t, { concurrency: concurrency as object }), { message: typeof message === 'string' ? new RegExp(message.replace(/[.()]/g, '\\$&')) : message })
  }
})

t.test('the metric has the requests in flight of each policy, whose decisions hold', async (t) => {
  const { app, send, finish } = await createSlotApp(t, { concurrency: { max: 2 }, metrics: {} })
  const inFlight = async () => /^rate_limit_in_flight\{policy="default"\} (\d+)$/m.exec(await app.rateLimit.metrics?.metrics() ?? '')?.[1]
  t.equal(await inFlight(), '0')
  await send()
  await send()
  await send()
  t.equal(await inFlight(), '2')
  await finish(2)
  t.equal(await inFlight(), '0')
})

t.test('explain shows the numbers of a tier', async (t) => {
  const { app } = await createSlotApp(t, { concurrency: { max: 1 }, tiers: { gold: { concurrency: { max: 3 } } } })
  const [{ options, tiers }] = app.rateLimit.explain('GET /').policies
  t.match(options.find(({ option }) => option === 'concurrency.max'), { value: 1 })
  t.match(tiers, [{ options: options.map((one) => one.option === 'concurrency.max' ? { value: 3 } : {}) }])
})

t.test('a custom store that counts no slots is warned of, and its slots are counted here', async (t) => {
  const memory = createMemoryStore({ clock: new ManualClock(), maxKeys: 10 })
  const store = {
    kind: 'plain',
    take: (charges: readonly Charge[]) => memory.take(charges),
    peek: (limits: readonly Limit[], partition: string) => memory.peek(limits, partition),
    adjust: (adjustments: readonly Adjustment[]) => { memory.adjust(adjustments) },
    reset: (limits: readonly Limit[], partition: string) => memory.reset(limits, partition),
    ping: () => {}
  }
  const warned: string[] = []
  const listen = (warning: Error & { code?: string }) => { warned.push(String(warning.code)) }
  process.on('warning', listen)
  t.teardown(() => { memory.close(); process.off('warning', listen) })
  const { app, send, finish } = await createSlotApp(t, { name: 'plain-slots', store, max: 10, timeWindow: 60_000, concurrency: { max: 1 } })
  const pending = [await send(), await send()]
  t.strictSame(codesOf(pending), [null, 429])
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 9 }], 'a refusal charges nothing')
  await finish()
  t.strictSame(codesOf([...pending, await send()]), [200, 429, null])
  t.ok(warned.includes('FST_SLUICE_WARN_LOCAL_SLOTS'))
})
