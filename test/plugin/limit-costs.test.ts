// A cost of its own for each limit of a policy, charged in one decision.
import type { FastifyRequest, InjectOptions } from 'fastify'
import t from 'tap'
import type { LimitOptions, RateLimitOptions } from '../../lib/index.js'
import { limitedApp, statuses } from '../fixtures/app.js'
import { byHeaders, createStoreApp, eachStore, requestAs } from '../fixtures/each-store.js'

const requests: LimitOptions = { name: 'requests', max: 5, timeWindow: '10 days' }
const tokens: LimitOptions = { name: 'tokens', max: 1000, timeWindow: '10 days', cost: 100 }

const from = (size: number): InjectOptions => ({ url: '/', headers: { size: String(size) } })
const malformed: InjectOptions = { method: 'POST', url: '/', payload: '{', headers: { 'content-type': 'application/json' } }
const sizeOf = ({ headers }: Pick<FastifyRequest, 'headers'>) => Number(headers.size)

interface Peeked { rateLimit: { peek (partition: string): Promise<Array<{ readonly remaining: number }>> } }
const left = async (app: Peeked, partition = 'ip:127.0.0.1') => (await app.rateLimit.peek(partition)).map(({ remaining }) => remaining)

for (const store of await eachStore()) {
  t.test(`${store.name}: each limit is charged its own cost, all or none`, async (t) => {
    const { app } = await createStoreApp(t, store, { limits: [requests, { ...tokens, cost: sizeOf }] })
    t.strictSame(await statuses(app, 2, from(400)), [200, 200])
    t.strictSame(await left(app), [3, 200])
    t.strictSame(await statuses(app, 1, from(201)), [429])
    t.strictSame(await left(app), [3, 200], 'the refused request took nothing')
    t.strictSame(await statuses(app, 4, from(0)), [200, 200, 200, 429], 'requests refuse in turn')
    t.strictSame(await left(app), [0, 200])
  })

  t.test(`${store.name}: with leases too`, async (t) => {
    const { app } = await createStoreApp(t, store, { leases: true, limits: [{ ...requests, max: 1000 }, { ...tokens, max: 50_000, cost: sizeOf }] })
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 10 }, () => app.inject(from(40))))
    t.strictSame(await left(app), [800, 42_000])
  })
}

const costs: ReadonlyArray<readonly [title: string, options: RateLimitOptions, left: readonly number[]]> = [
  ['a number', { limits: [requests, tokens] }, [4, 900]],
  ['0, which only looks', { limits: [requests, { ...tokens, cost: 0 }] }, [4, 1000]],
  ['a function', { limits: [requests, { ...tokens, cost: sizeOf }] }, [4, 993]],
  ['a function with a promise', { limits: [requests, { ...tokens, cost: async (request) => sizeOf(request) }] }, [4, 993]],
  ['a fraction, rounded up', { limits: [requests, { ...tokens, cost: () => 6.1 }] }, [4, 993]],
  ['of a single limit', { limits: [tokens] }, [900]],
  ['beside the cost of the policy', { cost: 2, limits: [requests, tokens] }, [3, 900]],
  ['beside a function of the policy', { cost: (request) => sizeOf(request) / 7, limits: [tokens, requests] }, [900, 4]],
  ['in a limit by address', { limits: [tokens, { ...requests, by: 'ip' }] }, [900, 4]],
  ['in a limit by user, charged to the address', { limits: [{ ...requests, mode: 'shadow' }, { ...tokens, by: 'user' }] }, [4, 900]],
  ['with a limit by function', { limits: [{ ...requests, max: () => 5 }, tokens] }, [4, 900]],
  ['with a throttle', { throttle: { maxDelay: '1s' }, limits: [requests, tokens] }, [4, 900]]
]
for (const [title, options, expected] of costs) {
  t.test(`the cost of a limit is ${title}`, async (t) => {
    const { app } = await limitedApp(t, options)
    t.strictSame(await statuses(app, 1, from(7)), [200])
    t.strictSame(await left(app), expected)
  })
}

const failing: ReadonlyArray<readonly [title: string, cost: LimitOptions['cost']]> = [
  ['throws', () => { throw new Error('no') }],
  ['rejects', async () => { throw new Error('no') }],
  ['returns no number', () => NaN]
]
for (const [title, cost] of failing) {
  t.test(`a function of one limit that ${title} costs 1 there, and is reported; the other limits are unchanged`, async (t) => {
    const { app, log } = await limitedApp(t, { cost: 3, limits: [requests, { ...tokens, cost }] })
    await app.inject('/')
    t.strictSame(await left(app), [2, 999])
    t.match(log, [{ source: 'cost' }])
  })
}

t.test('a function of several limits is called once, and one that no limit uses is not', async (t) => {
  let calls = 0
  const size = () => {
    calls++
    return 2
  }
  const { app } = await limitedApp(t, {
    cost: () => { throw new Error('unused') },
    limits: [{ ...requests, cost: size }, { ...tokens, name: 'a', cost: size }, { ...tokens, name: 'b' }]
  })
  await app.inject('/')
  t.equal(calls, 1)
  t.strictSame(await left(app), [3, 998, 900])
})

t.test('a tier has costs of its own, and a user beyond the capacity is refused for good', async (t) => {
  const { app } = await limitedApp(t, {
    identify: byHeaders, limits: [requests, tokens], tiers: { premium: { limits: [{ ...tokens, cost: 7 }] }, big: { limits: [{ ...tokens, cost: () => 1001 }] } }
  })
  await app.inject(requestAs('ada', 'premium'))
  t.equal((await app.rateLimit.peek('user:ada')).find(({ tier }) => tier === 'premium')?.remaining, 993)
  const refused = await app.inject(requestAs('bob', 'big'))
  t.equal(refused.statusCode, 429)
  t.equal(refused.headers['retry-after'], undefined)
})

t.test('a route that sets a cost keeps the inherited limits with theirs', async (t) => {
  const { app } = await limitedApp(t, { limits: [requests, tokens] })
  app.get('/double', { config: { rateLimit: { cost: 2 } } }, async () => 'hello')
  await app.inject('/double')
  t.strictSame(await left(app), [3, 900])
})

t.test('a rollout counts the same in shadow mode', async (t) => {
  const { app } = await limitedApp(t, { enforce: { percent: 1 }, limits: [requests, tokens] })
  await app.inject('/')
  t.strictSame((await left(app)).sort((a, b) => a - b), [4, 5, 900, 1000])
})

t.test('consume charges numbers, and refuses functions by their place', async (t) => {
  const { app } = await limitedApp(t, {})
  const options = { groupId: 'jobs', limits: [requests, tokens] }
  t.equal((await app.rateLimit.consume('user:42', options))?.isRefused, false)
  t.strictSame((await app.rateLimit.peek('user:42')).filter(({ scope }) => scope === 'group:jobs').map(({ remaining }) => remaining), [4, 900])
  const place = /^rateLimit\.consume\.limits\[1\]\.cost: is a function of the request/
  await t.rejects(app.rateLimit.consume('user:42', { ...options, limits: [requests, { ...tokens, cost: sizeOf }] }), { code: 'FST_SLUICE_CONTRADICTION', message: place })
  await t.rejects(app.rateLimit.consume('user:42', { ...options, cost: sizeOf }), { message: /^rateLimit\.consume\.cost: is a function of the request/ })
})

t.test('a request that ends before its hook is charged in each limit, at least 1 where a function misses the body', async (t) => {
  const { app } = await limitedApp(t, {})
  const lengthOf = (request: FastifyRequest) => (request.body as { text: string }).text.length
  app.post('/', { config: { rateLimit: { hook: 'preHandler', limits: [{ ...requests, max: 3 }, { ...tokens, cost: lengthOf }] } } }, async () => 'hello')
  t.strictSame(await statuses(app, 2, malformed), [400, 400])
  t.strictSame((await left(app)).slice(1), [1, 998])
  t.strictSame(await statuses(app, 1, { ...malformed, payload: JSON.stringify({ text: 'word' }) }), [200])
  t.strictSame((await left(app)).slice(1), [0, 994])
  t.strictSame(await statuses(app, 2, malformed), [429, 429])
})

t.test('many of them at once are refused by the limit that has no room for all', async (t) => {
  const { app } = await limitedApp(t, {})
  app.post('/', { config: { rateLimit: { hook: 'preHandler', limits: [{ ...requests, max: 100 }, { ...tokens, cost: 300 }] } } }, async () => 'hello')
  const answers = await Promise.all(Array.from({ length: 20 }, () => app.inject(malformed)))
  t.equal(answers.filter(({ statusCode }) => statusCode === 400).length, 3)
  t.strictSame(new Set(answers.map(({ headers }) => headers['retry-after'])), new Set([undefined, '1']), 'refused for those in flight')
  t.strictSame((await left(app)).slice(1), [97, 100])
})

t.test('one that ends before its hook as a client of a tier is charged by the costs of the tier', async (t) => {
  const { app } = await limitedApp(t, { hook: 'preHandler', limits: [requests, tokens], tiers: { anonymous: { limits: [{ ...tokens, cost: 7 }] } } })
  app.post('/', async () => 'hello')
  t.strictSame(await statuses(app, 2, malformed), [400, 400])
  t.strictSame(await left(app), [5, 1000, 986])
})

t.test('one that cannot be refused any more, because its reply was hijacked, becomes a debt in each limit', async (t) => {
  const { app } = await limitedApp(t, {})
  app.get('/hijacked', {
    config: { rateLimit: { hook: 'preHandler', keyGenerator: () => 'key', limits: [{ ...requests, max: 100 }, { ...tokens, cost: 300 }] } },
    preValidation: (_request, reply) => {
      reply.hijack()
      setImmediate(() => reply.raw.end('hello'))
    }
  }, async () => 'hello')
  await Promise.all(Array.from({ length: 4 }, () => app.inject('/hijacked')))
  await new Promise((resolve) => { setImmediate(resolve) })
  t.strictSame((await left(app)).slice(1), [96, 0])
  t.equal((await app.inject('/hijacked')).headers['retry-after'], String(10 * 86_400 * 0.5), 'until 300 are left, after a debt of 200')
})

const mistakes: ReadonlyArray<readonly [limit: object, message: string]> = [
  [{ ...tokens, cost: 1001 }, 'rateLimit.limits[1].cost: expected at most 1000, the capacity of the limit "tokens", got 1001'],
  [{ ...tokens, cost: -1 }, 'rateLimit.limits[1].cost: expected an integer of 0 or more, or a function, got -1'],
  [{ ...tokens, cost: '5' }, 'rateLimit.limits[1].cost: expected an integer of 0 or more, or a function, got "5"'],
  [{ ...tokens, onUnsettled: 'return' }, 'rateLimit.limits[1].onUnsettled: expected "count" or "refund", got "return"'],
  [{ ...tokens, onUnsetled: 'count' }, 'rateLimit.limits[1].onUnsetled: unknown option, did you mean "onUnsettled"?']
]
for (const [limit, message] of mistakes) {
  t.test(message, async (t) => {
    await t.rejects(limitedApp(t, { limits: [requests, limit as LimitOptions] }), { message })
  })
}

t.test('the cost of the policy must fit into the limits that use it, and into no other', async (t) => {
  await t.rejects(limitedApp(t, { cost: 6, limits: [requests, tokens] }), { message: /^rateLimit\.cost: expected at most 5, the capacity of the limit "requests"/ })
  await t.resolves(limitedApp(t, { cost: 6, limits: [{ ...requests, cost: 1 }, tokens] }))
})

t.test('explain shows them, each with its place', async (t) => {
  const { app } = await limitedApp(t, { limits: [requests, { ...tokens, cost: sizeOf, onUnsettled: 'refund' }] })
  const shown = app.rateLimit.explain('GET /').policies[0].options.filter(({ option }) => /cost|onUnsettled/.test(option))
  t.match(shown, [
    { option: 'limits[1].cost', value: 'a function', place: 'rateLimit.limits[1].cost' },
    { option: 'limits[1].onUnsettled', value: 'refund' },
    { option: 'cost', value: 1 }
  ])
})
