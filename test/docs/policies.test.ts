import t from 'tap'
import type { FastifyInstance, FastifyRequest, InjectOptions } from 'fastify'
import { systemClock } from '../../lib/common/clock.js'
import { statuses } from '../fixtures/app.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { createSnippetApp, readPage, parseSnippets } from './snippets.js'

const page = readPage('docs/policies.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

function appUnder (t: Parameters<typeof createSnippetApp>[0], heading: string, given = {}, clock = new ManualClock()) {
  RUN.add(heading)
  return createSnippetApp(t, page, heading, given, clock)
}

/** Whom the header names, as `id` or `id:tier`. */
function customerOf (request: FastifyRequest) {
  const named = String(request.headers.customer ?? '')
  const [id, tier] = named.split(':')
  return named === '' ? null : { id, tier }
}

async function capacity (app: FastifyInstance, request: InjectOptions | string): Promise<number> {
  return Number((await app.inject(request)).headers['x-ratelimit-limit'])
}

async function left (app: FastifyInstance, request: InjectOptions | string): Promise<number> {
  return Number((await app.inject(request)).headers['x-ratelimit-remaining'])
}

function by (customer: string, url = '/') {
  return { url, headers: { customer } }
}

t.test('a burst below max is the capacity', async (t) => {
  const app = await appUnder(t, 'One limit')
  t.equal(await capacity(app, '/any'), 50)
})

t.test('of several limits the smallest share is shown, and the one on trial is not', async (t) => {
  const app = await appUnder(t, 'Several limits')
  t.strictSame(await statuses(app, 6, '/search'), [200, 200, 200, 200, 200, 429])
  t.equal(await capacity(app, '/search'), 5)
})

t.test('routes inherit limits and buckets as the table says', async (t) => {
  const app = await appUnder(t, 'What a route inherits')
  t.equal(await left(app, '/feed'), 99)
  t.equal(await left(app, '/export'), 74)
  t.equal(await left(app, '/upload'), 19)
  t.equal(await left(app, '/v1/map'), 29)
  t.equal(await left(app, '/v2/map'), 28)
  t.notOk((await app.inject('/about')).headers['x-ratelimit-limit'])
})

t.test('a body that never reaches its hook counts for the address', async (t) => {
  const app = await appUnder(t, 'A later hook')
  const order = (payload: string) => ({ method: 'POST', url: '/orders', payload, headers: { 'content-type': 'application/json' } } as const)
  t.strictSame(await statuses(app, 2, order('{"customer":"ada"}')), [200, 200])
  t.strictSame(await statuses(app, 11, order('{')), [...Array(10).fill(400), 429])
  t.strictSame(await statuses(app, 1, order('{"customer":"ada"}')), [429])
})

t.test('tiers have the limits of their own, and a route with limits has no tier of the plugin', async (t) => {
  const app = await appUnder(t, 'Tiers', { customerOf })
  t.equal(await capacity(app, '/'), 20, 'anonymous')
  t.equal(await capacity(app, by('1')), 100, 'standard')
  t.equal(await capacity(app, by('2:premium')), 50)
  t.notOk((await app.inject(by('3:internal'))).headers['x-ratelimit-limit'])
  t.equal(await capacity(app, by('2:premium', '/export')), 10)
  t.equal(await left(app, by('1', '/export')), 98, 'the bucket of the plugin')
  t.equal(await capacity(app, by('2:premium', '/signup')), 5)
  t.equal(await capacity(app, by('3:internal', '/signup')), 5)
})

t.test('the rules match the routes that say so', async (t) => {
  const app = await appUnder(t, 'Rules')
  t.equal(await capacity(app, '/api/v1/users'), 50)
  t.equal(await capacity(app, { method: 'POST', url: '/api/v1/users' }), 10)
  t.equal(await capacity(app, '/api/v1/reports'), 5)
  t.equal(await capacity(app, '/api/v1/status'), 500)
  t.equal(await capacity(app, '/api/no/such'), 50, 'an unknown URL')
  t.equal(await left(app, '/api'), 47, 'and the path without a segment after it')
  t.equal((await app.inject('/legacy/orders')).statusCode, 429)
})

t.test('the table of precedence is true', async (t) => {
  const rows = [...page.matchAll(/^\| (`[^|]+) \| (`[^|]+) \| [a-z ,]+\|$/gm)]
    .map((cells) => cells.slice(1).map((cell) => ({ match: /`(\/[^`]*)`/.exec(cell)?.[1] ?? '', methods: cell.includes('methods') ? ['GET'] : undefined })))
    .filter(([before]) => before.match !== '')
  t.equal(rows.length, 5)
  const paths = ['/api/users', '/api/x', '/users/42', '/users', '/api/x']
  for (const [index, [before, after]] of rows.entries()) {
    const app = await createSnippetApp(t, '# x\n```js\nawait app.register(rateLimitPlugin, { rules })\n```\n', 'x', {
      // Written in the wrong order, so that the order of writing decides nothing.
      rules: [{ name: 'after', ...after, max: 2, timeWindow: '1s' }, { name: 'before', ...before, max: 1, timeWindow: '1s' }]
    })
    t.equal(await capacity(app, paths[index]), 1, `${before.match} before ${after.match}`)
  }
})

t.test('each way to be exempt lets through what it names, and nothing else', async (t) => {
  const app = await appUnder(t, 'Exemptions', { customerOf })
  const from = (remoteAddress: string) => ({ url: '/', remoteAddress })
  t.strictSame(await statuses(app, 3, from('192.0.2.7')), [200, 200, 200])
  t.strictSame(await statuses(app, 3, from('2001:db8::1')), [200, 200, 200])
  t.strictSame(await statuses(app, 2, from('2001:db8::2')), [200, 429], 'its neighbour is not')
  t.strictSame(await statuses(app, 2, from('198.51.100.1')), [200, 429])
  for (const url of ['/status', '/assets/a.png', '/batch']) {
    t.strictSame(await statuses(app, 3, { url, remoteAddress: '198.51.100.1' }), [200, 200, 200], url)
  }
  t.strictSame(await statuses(app, 3, { ...by('monitoring'), remoteAddress: '198.51.100.1' }), [200, 200, 200])
  t.equal((await app.inject({ url: '/assets/x/y', remoteAddress: '198.51.100.1' })).statusCode, 429, 'an unknown URL')
})

t.test('a cost by the body is charged after it was read', async (t) => {
  const app = await appUnder(t, 'Costs')
  const rows = (count: number) => ({ method: 'POST', url: '/rows', payload: { rows: Array(count).fill(0) } } as const)
  t.equal(await left(app, rows(300)), 700)
  const refused = await app.inject(rows(701))
  t.equal(refused.statusCode, 429)
  t.ok(refused.headers['retry-after'])
  t.equal((await app.inject(rows(1001))).headers['retry-after'], undefined)
  t.equal(await left(app, rows(700)), 0)
})

t.test('a login that succeeds costs nothing', async (t) => {
  const app = await appUnder(t, 'Refunds', { isPasswordRight: async (body: { password: string }) => body.password === 'right' })
  const login = (password: string) => ({ method: 'POST', url: '/login', payload: { password } } as const)
  t.strictSame(new Set(await statuses(app, 10, login('right'))), new Set([200]))
  t.strictSame(await statuses(app, 6, login('wrong')), [401, 401, 401, 401, 401, 429])
})

t.test('a completion costs what it took, more or less than was reserved', async (t) => {
  const taken = { text: 'words', tokens: 0 }
  const app = await appUnder(t, 'Language models', { model: { complete: async () => taken } })
  const remainingAfter = async (tokens: number) => {
    taken.tokens = tokens
    t.equal((await app.inject({ method: 'POST', url: '/complete', payload: { maxTokens: 1000, prompt: '' } })).body, 'words')
    const [standing] = (await app.rateLimit.peek('ip:127.0.0.1')).filter(({ max }) => max === 100_000)
    return standing.remaining
  }
  t.equal(await remainingAfter(400), 99_600)
  t.equal(await remainingAfter(1000), 98_600)
  t.equal(await remainingAfter(8600), 90_000)
})

t.test('a throttled route delays what it would refuse, up to its maxDelay', async (t) => {
  RUN.add('Throttling')
  // Requests that wait need a clock that goes.
  const app = await createSnippetApp(t, page, 'Throttling', {}, systemClock)
  const answers = await Promise.all(Array.from({ length: 30 }, () => app.inject('/thumbnail')))
  const bodies = answers.filter(({ statusCode }) => statusCode === 200).map(({ body }) => body)
  t.ok(bodies.filter((body) => body === 'allowed').length >= 5)
  t.ok(bodies.includes('delayed'))
  const refused = answers.filter(({ statusCode }) => statusCode === 429)
  t.ok(refused.length > 0)
  for (const { headers } of refused) t.equal(headers['retry-after'], '1')
})

t.test('a request that is held when the application closes is answered 503', async (t) => {
  const app = await createSnippetApp(t, page, 'Throttling')
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  let received = 0
  const allReceived = new Promise<void>((resolve) => app.server.on('request', () => { if (++received === 14) resolve() }))
  const answers = Array.from({ length: 14 }, () => fetch(`${origin}/thumbnail`))
  await allReceived
  const closing = app.close()
  const codes = (await Promise.all(answers)).map(({ status }) => status)
  await closing
  t.ok(codes.every((status) => status === 200 || status === 503), String(codes))
  t.ok(codes.includes(503))
})

t.test('who goes on after refusals is blocked for longer than his limit says, and told of once', async (t) => {
  const clock = new ManualClock()
  const app = await appUnder(t, 'Penalties', {}, clock)
  const vote = { method: 'POST', url: '/vote' } as const
  await statuses(app, 10 + 4, vote)
  const last = await app.inject(vote)
  t.match(last.json(), { type: /#abnormal-usage-detected$/, retryAfter: 60 })
  clock.advance(59_000_000)
  t.equal((await app.inject(vote)).statusCode, 429)
  clock.advance(1_000_000)
  t.equal((await app.inject(vote)).statusCode, 200)
  await statuses(app, 9 + 5, vote)
  t.match((await app.inject(vote)).json(), { retryAfter: 120 })
  await app.rateLimit.reset('ip:127.0.0.1')
  t.equal((await app.inject(vote)).statusCode, 200)
})

t.test('maintenance refuses everybody but staff, everywhere but where another rule says so', async (t) => {
  const app = await appUnder(t, 'Maintenance', { customerOf })
  const refused = await app.inject('/orders')
  t.equal(refused.statusCode, 429)
  t.equal(refused.headers['retry-after'], undefined)
  t.equal((await app.inject('/no/such')).statusCode, 429)
  t.equal((await app.inject(by('9:staff', '/orders'))).statusCode, 200)
  t.equal((await app.inject('/status')).statusCode, 200)
})

t.test('a limit by function gives each client his number', async (t) => {
  const app = await appUnder(t, 'Limits by function', { quotas: new Map() })
  t.equal(await capacity(app, '/quota'), 10)
})

t.test('what the page says beside its snippets is so', async (t) => {
  const app = await createSnippetApp(t, '# x\n```js\nawait app.register(rateLimitPlugin, options)\ndeclare(app)\n```\n', 'x', {
    options: { max: 100, timeWindow: '1 minute', rules: [{ name: 'a', match: '/a/*', max: 7, timeWindow: '1 minute' }], exempt: { routes: [] } },
    declare (app: FastifyInstance) {
      app.get('/a/b', { config: { rateLimit: { cost: 5 } } }, async () => 'ok')
      app.get('/health', async () => 'ok')
      app.get('/failing', { config: { rateLimit: { max () { throw new Error('no number') }, timeWindow: '10s' } } }, async () => 'ok')
    }
  })
  t.equal(await left(app, '/a/b'), 2, 'a cost of its own takes no route out of its rule')
  t.equal(await capacity(app, '/health'), 100, 'an empty list exempts nothing')
  t.equal(await capacity(app, '/failing'), 1000, 'what holds where a function fails')
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
