import { once } from 'node:events'
import { connect } from 'node:net'
import fastifyJwt from '@fastify/jwt'
import fastify, { type FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { rateLimitPlugin, type RateLimitOptions } from '../../lib/index.js'
import { bareApp, limitedApp, remainders, SECOND, statuses, type TestApp } from '../fixtures/app.js'
import { requestAs, byHeaders } from '../fixtures/each-store.js'
import { requestWithToken, SECRET, createToken } from '../fixtures/tokens.js'

const jwt = { identify: { jwt: true }, timeWindow: '1 hour' } as const

interface Verifications { count: number }

/** An application with @fastify/jwt that counts verifications, our plugin, and then an auth hook of its own on `/me`. */
async function authApp (t: Test, options: RateLimitOptions): Promise<TestApp & { readonly verifications: Verifications }> {
  const parts = bareApp(t)
  const { app, plugin } = parts
  const verifications = { count: 0 }
  await app.register(fastifyJwt, {
    secret: (_request: unknown, _token: unknown, done: (error: null, key: string) => void) => {
      verifications.count++
      done(null, SECRET)
    }
  })
  await app.register(plugin, { ...jwt, ...options })
  app.get('/', async ({ rateLimit }) => rateLimit?.client)
  app.get('/me', {
    onRequest: async (request) => {
      const before: unknown = request.user
      await request.jwtVerify()
      return before
    }
  }, async ({ user, rateLimit }) => ({ user, client: rateLimit?.client }))
  return { ...parts, verifications }
}

const shown = (payload: object, url = '/') => ({ ...requestWithToken(createToken(payload)), url })
const forged = (i: number | string) => requestWithToken(createToken({ sub: String(i), n: i }, { secret: 'another secret, of about the same length' }))

t.test('users have their own limits by token, and tiers, before the application\'s auth hook runs', async (t) => {
  const { app } = await authApp(t, { max: 2, tiers: { premium: { max: 5 } } })
  t.strictSame(await remainders(app, shown({ sub: '1' }), shown({ sub: '2', tier: 'premium' }), shown({ sub: '1' }), '/'), [1, 4, 0, 1])
  t.strictSame(await statuses(app, 1, shown({ sub: '1' })), [429])
  t.strictSame(await statuses(app, 1, shown({ sub: '1' }, '/me')), [429], 'refused before the hook')
})

t.test('request.user is what the application\'s hook finds and makes', async (t) => {
  const seen: unknown[] = []
  const { app } = await authApp(t, { max: 9 })
  app.get('/seen', { onRequest: async (request) => { seen.push(request.user, Object.hasOwn(request, 'user')) } }, async ({ user }) => ({ user: user ?? null }))
  t.strictSame((await app.inject(shown({ sub: '1' }, '/seen'))).json(), { user: null }, 'nobody verified it for the application')
  const plain = fastify()
  t.teardown(() => plain.close())
  await plain.register(fastifyJwt, { secret: SECRET })
  plain.get('/seen', { onRequest: async (request) => { seen.push(request.user, Object.hasOwn(request, 'user')) } }, async () => 'seen')
  await plain.inject(shown({ sub: '1' }, '/seen'))
  t.strictSame(seen.slice(0, 2), seen.slice(2), 'as without this plugin')
  t.match((await app.inject(shown({ sub: '1', name: 'Ada' }, '/me'))).json(), { user: { sub: '1', name: 'Ada' }, client: { kind: 'user', id: '1' } })
})

t.test('the application answers its 401 itself, and it is counted by the address', async (t) => {
  const { app, log } = await authApp(t, { max: 3 })
  for (const request of [{ url: '/me', remoteAddress: '203.0.113.9' }, { ...forged(1), url: '/me' }, { ...requestWithToken('nonsense'), url: '/me' }]) {
    const response = await app.inject(request)
    t.equal(response.statusCode, 401)
    t.match(response.json(), { code: /^F(?:ST_JWT|AST_JWT|ST_)/ })
  }
  t.equal((await app.inject({ ...forged(1), url: '/me' })).statusCode, 429)
  t.strictSame(log.filter(({ level }) => level >= 50), [])
})

t.test('a request is verified once here, however many policies it meets', async (t) => {
  const { app, verifications } = await authApp(t, { max: 9 })
  app.get('/guarded', { preHandler: app.rateLimit({ max: 5, groupId: 'guarded' }) }, async () => 'guarded')
  await app.inject(shown({ sub: '1' }, '/guarded'))
  t.equal(verifications.count, 1)
})

t.test('1000 forged tokens of an address are one bucket, and at most maxFailures verifications a minute', async (t) => {
  const { app, clock, verifications } = await authApp(t, { max: 5000, identify: { jwt: true, maxFailures: 100 } })
  let last = 0
  for (let i = 0; i < 1000; i++) last = Number((await app.inject(forged(i))).headers['x-ratelimit-remaining'])
  t.equal(last, 4000, 'each was charged to the address')
  t.equal(verifications.count, 100)
  t.match((await app.inject(requestWithToken(createToken({ sub: '42' })))).json(), { kind: 'ip' }, 'past it a valid token is anonymous, too')
  t.match((await app.inject(requestWithToken(createToken({ sub: '42' }), '203.0.113.10'))).json(), { kind: 'user', id: '42' }, 'of this address only')
  clock.advance(60 * SECOND)
  t.match((await app.inject(requestWithToken(createToken({ sub: '42' })))).json(), { kind: 'user', id: '42' })
})

t.test('forged tokens from a /56 of addresses are one bucket, too', async (t) => {
  const { app, verifications } = await authApp(t, { max: 500, identify: { jwt: true, maxFailures: 10 } })
  for (let i = 0; i < 256; i++) await app.inject({ ...forged(i), remoteAddress: `2001:db8:0:ab${i.toString(16).padStart(2, '0')}::${i.toString(16)}` })
  t.equal(verifications.count, 10)
  t.match(await app.rateLimit.peek('ip:2001:db8:0:ab00::1'), [{ remaining: 244 }])
})

t.test('a stolen sub in an unsigned token neither spends nor gets what the user has', async (t) => {
  const { app } = await authApp(t, { max: 2, tiers: { premium: { max: 9 } } })
  const unsigned = createToken({ sub: '42', tier: 'premium' }, { header: { alg: 'none' } }).replace(/[^.]+$/, '')
  t.strictSame(await statuses(app, 3, requestWithToken(unsigned)), [200, 200, 429])
  t.strictSame(await remainders(app, requestWithToken(createToken({ sub: '42', tier: 'premium' }), '203.0.113.10')), [8])
})

t.test('the application gets not ready without @fastify/jwt', async (t) => {
  const { app, plugin } = bareApp(t)
  await app.register(plugin, jwt)
  await t.rejects(async () => { await app.ready() }, { code: 'FST_SLUICE_NO_JWT', message: /^rateLimit\.identify\.jwt: found no @fastify\/jwt/ })
})

t.test('@fastify/jwt may be registered later', async (t) => {
  const { app, plugin } = bareApp(t)
  await app.register(plugin, { ...jwt, max: 2 })
  await app.register(fastifyJwt, { secret: SECRET })
  app.get('/', async ({ rateLimit }) => rateLimit?.client)
  t.match((await app.inject(shown({ sub: '1' }))).json(), { kind: 'user', id: '1' })
})

t.test('an API key is a user with a tier, looked up by the application', async (t) => {
  const keys = new Map([['k-1', { id: 'acme', tier: 'premium' }], ['k-2', { id: 'acme', tier: 'premium' }], ['k-3', { id: 'lone' }]])
  const { app } = await limitedApp(t, {
    identify: { custom: async ({ headers }) => keys.get(String(headers['x-api-key'])) },
    max: 2,
    timeWindow: '1 hour',
    tiers: { premium: { max: 5 } }
  })
  const by = (key: string) => ({ url: '/', headers: { 'x-api-key': key } })
  t.strictSame(await remainders(app, by('k-1'), by('k-2'), by('k-3'), by('stolen'), '/'), [4, 3, 1, 1, 0])
})

t.test('64 kB of headers say no more than short ones', async (t) => {
  const app = fastify({ http: { maxHeaderSize: 256 * 1024 } } as FastifyServerOptions)
  t.teardown(() => app.close())
  await app.register(fastifyJwt, { secret: SECRET })
  await app.register(rateLimitPlugin, { ...jwt, max: 100, trustedProxies: ['loopback'] })
  app.get('/', async ({ rateLimit }) => rateLimit?.client.partition)
  const port = Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
  const rows: ReadonlyArray<readonly [headers: readonly string[], partition: string]> = [
    [[`X-Forwarded-For: ${'203.0.113.1, '.repeat(5000)}203.0.113.9`], 'ip:203.0.113.9'],
    [[`X-Forwarded-For: ${'127.0.0.1, '.repeat(6000)}127.0.0.1`], 'ip:127.0.0.1'],
    [[`X-Forwarded-For: ${'x'.repeat(65_536)}, 203.0.113.9`], 'ip:203.0.113.9'],
    [[`X-Forwarded-For: ${'x'.repeat(65_536)}`], 'ip:127.0.0.1'],
    [[`X-Forwarded-For: ${','.repeat(65_536)}`], 'ip:127.0.0.1'],
    [Array.from({ length: 900 }, (_, i) => `X-Forwarded-For: 198.51.100.${i % 250}`).concat('X-Forwarded-For: 203.0.113.9'), '203.0.113.9'],
    // Node.js drops lines past the thousandth, so the proxy's own may be missing.
    [['X-Forwarded-For: 198.51.100.7', ...Array.from({ length: 1500 }, () => 'a:'), 'X-Forwarded-For: 203.0.113.9'], 'ip:unknown'],
    [[...Array.from({ length: 1500 }, () => 'a:'), 'X-Forwarded-For: 203.0.113.9'], 'ip:unknown'],
    [[`Authorization: Bearer ${'a'.repeat(65_536)}`], 'ip:127.0.0.1'],
    [[`Authorization: Bearer ${createToken({ sub: 'x'.repeat(40_000) })}`], 'user#'],
    [[`Authorization: Bearer ${'.'.repeat(65_536)}`], 'ip:127.0.0.1']
  ]
  for (const [headers, partition] of rows) {
    const answer = await ask(port, headers)
    t.match(answer, /^HTTP\/1\.1 200/, headers[0].slice(0, 60))
    t.match(answer.slice(answer.indexOf('\r\n\r\n') + 4), partition, headers[0].slice(0, 60))
    t.ok(answer.slice(answer.indexOf('\r\n\r\n')).length < 200, 'and no partition is long')
  }
})

/** A request that no client library would send, and all of its answer. */
async function ask (port: number, headers: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.end(['GET / HTTP/1.1', 'Host: a', 'Connection: close', ...headers, '', ''].join('\r\n'))
  let answer = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => { answer += chunk })
  await once(socket, 'close')
  return answer
}

t.test('user ids that look like addresses, keys or other users are none of them', async (t) => {
  const { app } = await limitedApp(t, { identify: byHeaders, max: 3, timeWindow: '1 hour' })
  await statuses(app, 2)
  t.strictSame(await remainders(app, requestAs('127.0.0.1'), requestAs('ip:127.0.0.1'), requestAs('user:42'), requestAs('42'), requestAs('global')), [2, 2, 2, 2, 2])
  t.strictSame(await remainders(app, '/'), [0])
})
