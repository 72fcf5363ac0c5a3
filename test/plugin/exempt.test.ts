import fastifyJwt from '@fastify/jwt'
import t from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { bareApp, limitedApp, remainders, statuses } from '../fixtures/app.js'
import { requestAs, byHeaders } from '../fixtures/each-store.js'
import { requestWithToken, SECRET, createToken } from '../fixtures/tokens.js'

type Asked = { readonly remoteAddress: string, readonly forwarded?: string }

const requestOf = ({ remoteAddress, forwarded }: Asked) =>
  ({ url: '/', remoteAddress, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } })

const ips = ['203.0.113.0/24', '198.51.100.7', '2001:db8:0:ab00::7', '2001:db8:f::/48']
const rows: ReadonlyArray<readonly [asked: Asked, isExempt: boolean, why: string]> = [
  [{ remoteAddress: '203.0.113.200' }, true, 'in the network'],
  [{ remoteAddress: '203.0.114.1' }, false, 'beside it'],
  [{ remoteAddress: '198.51.100.7' }, true, 'the address'],
  [{ remoteAddress: '198.51.100.8' }, false, 'its neighbour'],
  [{ remoteAddress: '::ffff:198.51.100.7' }, true, 'as a dual-stack socket tells it'],
  [{ remoteAddress: '2001:db8:0:ab00::7' }, true, 'one IPv6 address'],
  [{ remoteAddress: '2001:db8:0:ab00::8' }, false, 'another of its subnet, with which it would be counted'],
  [{ remoteAddress: '2001:db8:f:1::1' }, true, 'in the IPv6 network'],
  [{ remoteAddress: '192.0.2.1', forwarded: '203.0.113.200' }, false, 'forged without a proxy']
]
for (const [asked, isExempt, why] of rows) {
  t.test(`${JSON.stringify(asked)} is ${isExempt ? '' : 'not '}exempt: ${why}`, async (t) => {
    const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute', exempt: { ips } })
    t.strictSame(await statuses(app, 3, requestOf(asked)), isExempt ? [200, 200, 200] : [200, 200, 429])
  })
}

const behindProxy: ReadonlyArray<readonly [asked: Asked, isExempt: boolean, why: string]> = [
  [{ remoteAddress: '10.0.0.1', forwarded: '203.0.113.200' }, true, 'a proxy says so'],
  [{ remoteAddress: '10.0.0.1', forwarded: '203.0.113.200, 10.0.0.2' }, true, 'two proxies say so'],
  [{ remoteAddress: '10.0.0.1', forwarded: '203.0.113.200, 192.0.2.1' }, false, 'the client wrote it'],
  [{ remoteAddress: '10.0.0.1', forwarded: '203.0.113.200, nonsense' }, false, 'the client wrote it, and its proxy something else'],
  [{ remoteAddress: '192.0.2.1', forwarded: '203.0.113.200' }, false, 'it asked beside the proxy'],
  [{ remoteAddress: '10.0.0.1', forwarded: '2001:db8:0:ab00::7' }, true, 'IPv6'],
  [{ remoteAddress: '10.0.0.1', forwarded: '"[2001:db8:0:ab00::7]:4711"' }, true, 'IPv6 with a port'],
  [{ remoteAddress: '10.0.0.1', forwarded: '2001:db8:0:ab00::8' }, false, 'its neighbour']
]
for (const [asked, isExempt, why] of behindProxy) {
  t.test(`behind trustedProxies ${JSON.stringify(asked)} is ${isExempt ? '' : 'not '}exempt: ${why}`, async (t) => {
    const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute', trustedProxies: ['private'], exempt: { ips } })
    t.strictSame(await statuses(app, 3, requestOf(asked)), isExempt ? [200, 200, 200] : [200, 200, 429])
  })
}

t.test('users are exempt by a verified token only', async (t) => {
  const { app, plugin } = bareApp(t)
  await app.register(fastifyJwt, { secret: SECRET })
  await app.register(plugin, { max: 1, timeWindow: '1 minute', identify: { jwt: true }, exempt: { users: ['42'] } })
  app.get('/', async ({ rateLimit }) => rateLimit?.outcome)
  t.strictSame(await statuses(app, 3, requestWithToken(createToken({ sub: '42' }))), [200, 200, 200])
  t.equal((await app.inject(requestWithToken(createToken({ sub: '42' })))).body, 'exempt')
  const forged = createToken({ sub: '42' }, { secret: 'another secret, of about the same length' })
  t.strictSame(await statuses(app, 2, requestWithToken(forged)), [200, 429])
  t.strictSame(await statuses(app, 2, requestWithToken(createToken({ sub: '43' }))), [200, 429])
})

t.test('a key that is called like an exempt user is none', async (t) => {
  const { app } = await limitedApp(t, { max: 1, keyGenerator: () => '42', exempt: { users: ['42'] } })
  t.strictSame(await statuses(app, 2), [200, 429])
})

t.test('exempt.when picks requests, of every policy', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 minute', exempt: { when: ({ headers }) => headers['x-probe'] === 'yes' } })
  app.get('/own', { config: { rateLimit: { max: 1 } } }, async () => 'own')
  for (const url of ['/', '/own', '/nowhere']) {
    const expected = url === '/nowhere' ? 404 : 200
    t.strictSame(await statuses(app, 3, { url, headers: { 'x-probe': 'yes' } }), [expected, expected, expected])
  }
  t.strictSame([...await statuses(app, 2), ...await statuses(app, 2, '/own')], [200, 429, 200, 429])
})

const rubbish: ReadonlyArray<readonly [what: string, when: () => unknown]> = [
  ['throws', () => { throw new Error('broken') }],
  ['rejects', async () => { throw new Error('broken') }],
  ['answers a promise of 1', async () => 1],
  ['answers 1', () => 1],
  ['answers undefined', () => undefined]
]
for (const [what, when] of rubbish) {
  t.test(`an exempt.when that ${what} exempts nobody, and is logged`, async (t) => {
    const { app, log } = await limitedApp(t, { max: 1, exempt: { when: when as () => boolean } })
    t.strictSame(await statuses(app, 2), [200, 429])
    t.strictSame(log.map(({ source }) => source), ['exempt'])
  })
}

t.test('who is exempt is told nothing, charged nothing, and called exempt', async (t) => {
  const { app } = await limitedApp(t, { identify: byHeaders, max: 5, headers: 'both', exempt: { users: ['operator'] }, onExceeding: () => t.fail('nothing is counted') })
  app.get('/me', async ({ rateLimit }) => ({ outcome: rateLimit?.outcome, client: rateLimit?.client.id }))
  const response = await app.inject(requestAs('operator', undefined, '/me'))
  t.strictSame(response.json(), { outcome: 'exempt', client: 'operator' })
  t.strictSame(Object.keys(response.headers).filter((name) => name.includes('ratelimit')), [])
  t.match(await app.rateLimit.peek('user:operator'), [{ remaining: 5 }])
})

const PATH = '/health/rate-limit'
const health: ReadonlyArray<readonly [asked: Asked, status: number, why: string]> = [
  [{ remoteAddress: '10.0.0.1', forwarded: '10.0.0.7' }, 200, 'a trusted proxy, for a private client'],
  [{ remoteAddress: '10.0.0.1', forwarded: '192.0.2.1' }, 404, 'a trusted proxy, for a public client'],
  [{ remoteAddress: '10.0.0.1', forwarded: '10.0.0.7, 192.0.2.1' }, 404, 'a trusted proxy, for a client that forges'],
  [{ remoteAddress: '10.0.0.1', forwarded: 'nonsense' }, 200, 'a trusted proxy that hides its client is the client'],
  [{ remoteAddress: '127.0.0.1', forwarded: '10.0.0.7' }, 404, 'a proxy that is not on the list'],
  [{ remoteAddress: '10.0.0.1' }, 200, 'no proxy at all']
]
for (const [asked, status, why] of health) {
  t.test(`behind trustedProxies the health route answers ${status}: ${why}`, async (t) => {
    const { app } = await limitedApp(t, { trustedProxies: ['10.0.0.0/8'] })
    t.equal((await app.inject({ ...requestOf(asked), url: PATH })).statusCode, status)
  })
}

t.test('exempt.routes are in place of health checks and documentation', async (t) => {
  const open: RateLimitOptions = { max: 1, timeWindow: '1 minute' }
  const own = await limitedApp(t, { ...open, exempt: { routes: ['/status/*'] } })
  const builtIn = await limitedApp(t, open)
  for (const { app } of [own, builtIn]) {
    for (const url of ['/healthz', '/status/db']) app.get(url, async () => 'ok')
  }
  t.strictSame([await statuses(own.app, 2, '/status/db'), await statuses(own.app, 2, '/healthz')], [[200, 200], [200, 429]])
  t.strictSame([await statuses(builtIn.app, 2, '/healthz'), await statuses(builtIn.app, 2, '/status/db')], [[200, 200], [200, 429]])
  t.strictSame(await remainders(own.app, { url: '/', remoteAddress: '203.0.113.9' }), [0])
})
