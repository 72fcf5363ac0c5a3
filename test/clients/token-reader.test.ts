import fastifyJwt, { type FastifyJWTOptions } from '@fastify/jwt'
import type { FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import { AddressReader } from '../../lib/clients/address/address-reader.js'
import type { IdentifyOptions } from '../../lib/config/schema/identity-schema.js'
import { checkTokenSupport } from '../../lib/clients/token-reader.js'
import { MS, SECOND } from '../fixtures/app.js'
import { resolveOptions } from '../../lib/config/schema/resolve-options.js'
import { createIdentifierApp, requestWithToken, createIdentifyingApp, PLAIN_POLICY, SECRET, createToken, identifySender, type IdentifyingApp } from '../fixtures/tokens.js'

const ADDRESS = new AddressReader(56).toClient('203.0.113.9')
const user = (id: string, tier = 'standard') => ({ kind: 'user', id, tier, partition: `user:${id}` })

/** An application with @fastify/jwt that identifies by tokens. */
async function tokenApp (t: Test, jwt: Partial<FastifyJWTOptions> = {}, identify: IdentifyOptions = { jwt: true }): Promise<IdentifyingApp> {
  const parts = createIdentifyingApp(t, { identify })
  await parts.app.register(fastifyJwt, { secret: SECRET, ...jwt })
  parts.app.addHook('onReady', async () => checkTokenSupport(parts.app, resolveOptions({ identify }).identify))
  return parts
}

/** A secret function that counts how often a token is verified. */
function countedSecret () {
  const calls = { count: 0 }
  const secret = (_request: unknown, _token: unknown, done: (error: null, key: string) => void) => {
    calls.count++
    done(null, SECRET)
  }
  return { calls, secret }
}

const nowSeconds = Math.floor(Date.now() / 1000)

const payloads: ReadonlyArray<readonly [payload: unknown, client: object, why: string]> = [
  [{ sub: '42' }, user('42'), 'a user without a tier'],
  [{ sub: '42', tier: 'premium' }, user('42', 'premium'), 'a user with one'],
  [{ sub: 42 }, user('42'), 'a number for an id'],
  [{ sub: 0 }, user('0'), 'nought is a number'],
  [{ sub: '42', exp: nowSeconds + 600 }, user('42'), 'not expired'],
  [{ sub: '42', tier: '' }, user('42'), 'an empty tier'],
  [{ sub: '42', tier: 7 }, user('42'), 'a tier that is no text'],
  [{ sub: '42', tier: ['premium'] }, user('42'), 'a tier in an array'],
  [{ sub: '42', tier: null }, user('42'), 'a null tier'],
  [{ sub: '42', tier: 'p'.repeat(65) }, user('42'), 'a tier longer than any'],
  [{ sub: '42', tier: 'p'.repeat(64) }, user('42', 'p'.repeat(64)), 'the longest tier'],
  [{ tier: 'premium' }, ADDRESS, 'no user'],
  [{ sub: '', tier: 'premium' }, ADDRESS, 'an empty user'],
  [{ sub: null }, ADDRESS, 'a null user'],
  [{ sub: true }, ADDRESS, 'a user that is no text'],
  [{ sub: { id: '42' } }, ADDRESS, 'a user that is an object'],
  [{ sub: ['42'] }, ADDRESS, 'a user in an array'],
  [{ sub: '42', exp: nowSeconds - 600 }, ADDRESS, 'expired'],
  [{ sub: '42', nbf: nowSeconds + 600 }, ADDRESS, 'not yet valid'],
  [{ __proto__: null, constructor: '42' }, ADDRESS, 'nothing of use']
]
for (const [payload, client, why] of payloads) {
  t.test(`a token with ${JSON.stringify(payload).slice(0, 60)} names ${JSON.stringify(client).slice(0, 60)} (${why})`, async (t) => {
    t.strictSame(await identifySender(await tokenApp(t), requestWithToken(createToken(payload))), client)
  })
}

const forged: ReadonlyArray<readonly [shown: string, why: string]> = [
  [createToken({ sub: '42' }, { secret: 'another secret, of about the same length' }), 'signed with another key'],
  [createToken({ sub: '42' }).replace(/[^.]+$/, ''), 'without a signature'],
  [createToken({ sub: '42' }, { header: { alg: 'none' } }), 'alg none with a signature'],
  [createToken({ sub: '42' }, { header: { alg: 'none' } }).replace(/[^.]+$/, ''), 'alg none without one'],
  [createToken({ sub: '42' }, { header: { alg: 'RS256', typ: 'JWT' } }), 'another algorithm'],
  [createToken({ sub: '1' }).split('.').toSpliced(1, 1, Buffer.from('{"sub":"42"}').toString('base64url')).join('.'), 'a payload put under another signature'],
  [createToken('42'), 'a payload that is no object'],
  ['garbage', 'no token'],
  ['a b', 'a malformed header'],
  ['..', 'dots']
]
for (const [shown, why] of forged) {
  t.test(`a forged token counts by its address (${why})`, async (t) => {
    const parts = await tokenApp(t)
    t.strictSame(await identifySender(parts, requestWithToken(shown)), ADDRESS)
    t.strictSame(parts.log, [], 'and nothing is logged')
  })
}

t.test('a request without a token is its address, and is never verified', async (t) => {
  const { calls, secret } = countedSecret()
  const parts = await tokenApp(t, { secret }, { jwt: true, maxFailures: 1 })
  for (let i = 0; i < 5; i++) t.strictSame(await identifySender(parts, { url: '/', remoteAddress: '203.0.113.9' }), ADDRESS)
  t.strictSame(await identifySender(parts, { url: '/', remoteAddress: '203.0.113.9', headers: { authorization: 'Basic YTpi' } }), ADDRESS)
  t.equal(calls.count, 0)
  t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42' }))), user('42'), 'and none of them was a failure')
})

const claims: ReadonlyArray<readonly [path: string, payload: object, id: string | null, why: string]> = [
  ['app.account.id', { app: { account: { id: '42' } } }, '42', 'dots lead into objects'],
  ['app.id', { 'app.id': '42', app: { id: '7' } }, '42', 'a claim of that very name wins'],
  ['https://example.com/user', { 'https://example.com/user': '42' }, '42', 'a claim named by a URL'],
  ['https://example.com/app.id', { 'https://example.com/app': { id: '42' } }, '42', 'dots lead into it, too'],
  ['a.b.c', { 'a.b': {}, a: { 'b.c': '42' } }, '42', 'a name that leads nowhere is not the end'],
  ['app.id', { app: '42' }, null, 'no object'],
  ['app.id', { app: null }, null, 'null'],
  ['constructor.name', {}, null, 'what every object inherits is no claim'],
  ['__proto__.id', {}, null, 'nor is its prototype'],
  ['.id', { id: '42' }, null, 'a beginning without a name']
]
for (const [path, payload, id, why] of claims) {
  t.test(`the claim ${path} of ${JSON.stringify(payload)} is ${id} (${why})`, async (t) => {
    const parts = await tokenApp(t, {}, { jwt: { userClaim: path, tierClaim: 'plan.name' } })
    t.strictSame(await identifySender(parts, requestWithToken(createToken({ ...payload, plan: { name: 'premium' } }))), id === null ? ADDRESS : user(id, 'premium'))
  })
}

t.test('defaultTier is the tier of users without one', async (t) => {
  const parts = await tokenApp(t, {}, { jwt: true, defaultTier: 'basic' })
  t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42' }))), user('42', 'basic'))
  t.strictSame(await identifySender(parts, requestWithToken('garbage')), ADDRESS)
})

t.test('a namespace of @fastify/jwt verifies, by its own name or a given one', async (t) => {
  for (const names of [{}, { jwtVerify: 'verifyApi' }]) {
    const parts = await tokenApp(t, { namespace: 'api', ...names }, { jwt: { namespace: 'api', method: names.jwtVerify } })
    await parts.app.register(fastifyJwt, { namespace: 'other', secret: 'the secret of another namespace entirely' })
    t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42' }))), user('42'))
    t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42' }, { secret: 'the secret of another namespace entirely' }))), ADDRESS)
  }
})

t.test('a secret function finds each issuer\'s key', async (t) => {
  const keys: Record<string, string> = { one: 'the key of the first issuer, in full', two: 'the key of the second issuer, in full' }
  const secret = async (_request: FastifyRequest, { payload }: { payload: { iss: string } }) => {
    if (keys[payload.iss] === undefined) throw new Error(`no key for ${payload.iss}`)
    return keys[payload.iss]
  }
  const parts = await tokenApp(t, { secret: secret as never, decode: { complete: true } })
  t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '1', iss: 'one' }, { secret: keys.one }))), user('1'))
  t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '2', iss: 'two' }, { secret: keys.two }))), user('2'))
  t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '2', iss: 'one' }, { secret: keys.two }))), ADDRESS)
  t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '3', iss: 'three' }, { secret: keys.two }))), ADDRESS)
  t.strictSame(parts.log, [])
})

t.test('a token that the trusted function rejects, or fails on, names nobody', async (t) => {
  for (const trusted of [
    (_: unknown, { jti }: { jti?: string }) => jti !== 'revoked',
    async (_: unknown, { jti }: { jti?: string }) => jti !== 'revoked',
    (_: unknown, { jti }: { jti?: string }) => { if (jti === 'revoked') throw new Error('revoked'); return true },
    async (_: unknown, { jti }: { jti?: string }) => { if (jti === 'revoked') throw new Error('revoked'); return true }
  ]) {
    const parts = await tokenApp(t, { trusted: trusted as never })
    t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42', jti: 'fine' }))), user('42'))
    t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42', jti: 'revoked' }))), ADDRESS)
  }
})

t.test('a token in a cookie counts, also one that shows only later', async (t) => {
  const parts = await tokenApp(t, { cookie: { cookieName: 'session', signed: false } })
  const later: object[] = []
  parts.app.addHook('preValidation', async (request) => {
    // What a plugin for cookies does.
    Object.assign(request, { cookies: { session: /session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] } })
    later.push(await parts.identifier.identify(request, PLAIN_POLICY))
  })
  t.strictSame(await identifySender(parts, { url: '/', remoteAddress: '203.0.113.9', headers: { cookie: `session=${createToken({ sub: '42' })}` } }), ADDRESS)
  t.strictSame(await identifySender(parts, { url: '/', remoteAddress: '203.0.113.9' }), ADDRESS)
  t.strictSame(later, [user('42'), ADDRESS])
})

t.test('a token where the application looks for it counts, and nowhere else', async (t) => {
  const extractToken = (request: FastifyRequest) => String(request.headers['x-token']).slice('token '.length)
  const parts = await tokenApp(t, { verify: { extractToken } })
  t.strictSame(await identifySender(parts, { url: '/', headers: { 'x-token': `token ${createToken({ sub: '42' })}` } }), user('42'))
  t.match(await identifySender(parts, requestWithToken(createToken({ sub: '42' }))), { kind: 'ip' })
  const failing = await tokenApp(t, { verify: { extractToken: () => { throw new Error('none') } } })
  t.match(await identifySender(failing, requestWithToken(createToken({ sub: '42' }))), { kind: 'ip' })
  const cookies = await tokenApp(t, { verify: { onlyCookie: true }, cookie: { cookieName: 'session', signed: false } }, { jwt: true, maxFailures: 1 })
  cookies.app.addHook('preValidation', async (request) => {
    Object.assign(request, { cookies: { session: createToken({ sub: '42' }) } })
    t.match(await cookies.identifier.identify(request, PLAIN_POLICY), user('42'), 'and where it is not looked for, it is no failure')
  })
  t.match(await identifySender(cookies, requestWithToken('garbage')), { kind: 'ip' })
})

for (const decoratorName of ['user', 'account']) {
  for (const kind of ['at once', 'later'] as const) {
    t.test(`request.${decoratorName} stays as the application expects it where the token is verified ${kind}`, async (t) => {
      const key = kind === 'later' ? async () => SECRET : SECRET
      const trusted = (request: FastifyRequest) => { Object.assign(request, { mark: 'set' }); return true }
      const parts = await tokenApp(t, { secret: key as never, decoratorName, trusted })
      const seen: unknown[] = []
      parts.app.addHook('onRequest', async (request) => {
        seen.push(Reflect.get(request, decoratorName), Reflect.has(request, 'mark'))
        await request.jwtVerify()
        seen.push(Reflect.get(request, decoratorName).sub, Reflect.has(request, 'mark'))
      })
      const response = await parts.app.inject(requestWithToken(createToken({ sub: '42' })))
      t.strictSame(seen, [null, false, '42', true])
      t.strictSame(response.json(), user('42'))
      const refused = await parts.app.inject(requestWithToken(createToken({ sub: '42' }, { secret: 'another secret, of about the same length' })))
      t.equal(refused.statusCode, 401, 'and its own answer to a forged token is sent')
      t.equal(refused.json().code, 'FST_JWT_AUTHORIZATION_TOKEN_INVALID')
      t.strictSame((await parts.app.inject('/')).json().code, 'FST_JWT_NO_AUTHORIZATION_IN_HEADER')
    })
  }
}

t.test('several policies on a request verify its token once', async (t) => {
  const { calls, secret } = countedSecret()
  const parts = await tokenApp(t, { secret })
  const later: object[] = []
  parts.app.get('/twice', {
    preValidation: async (request) => { later.push(await parts.identifier.identify(request, PLAIN_POLICY)) },
    preHandler: async (request) => { later.push(await parts.identifier.identify(request, { hook: 'preHandler', keyGenerator: () => 'key' })) }
  }, async () => 'x')
  await parts.app.inject({ ...requestWithToken(createToken({ sub: '42' })), url: '/twice' })
  t.strictSame(later, [user('42'), user('42')])
  await parts.app.inject({ ...requestWithToken(createToken({ sub: '42' }, { secret: 'another secret, of about the same length' })), url: '/twice' })
  t.match(later.slice(2), [{ kind: 'ip' }, { kind: 'key' }])
  t.equal(calls.count, 2, 'and a forged one once as well')
})

t.test('two identifications at once share one verification', async (t) => {
  const { calls, secret } = countedSecret()
  const parts = createIdentifierApp(t, { identify: { jwt: true } })
  const slow = async (request: never, shown: never) => new Promise((resolve) => { secret(request, shown, (_, key) => { setImmediate(resolve, key) }) })
  await parts.app.register(fastifyJwt, { secret: slow as never })
  parts.app.get('/', async (request) => Promise.all([1, 2, 3].map(() => parts.identifier.identify(request, PLAIN_POLICY))))
  t.strictSame((await parts.app.inject(requestWithToken(createToken({ sub: '42' })))).json(), [user('42'), user('42'), user('42')])
  t.equal(calls.count, 1)
})

t.test('a token that the application has verified is not verified again', async (t) => {
  const { calls, secret } = countedSecret()
  const parts = createIdentifierApp(t, { identify: { jwt: { tierClaim: 'role' } } })
  const formatUser = (payload: { sub: string, plan: string }) => ({ sub: payload.sub, role: payload.plan })
  await parts.app.register(fastifyJwt, { secret, formatUser: formatUser as never })
  parts.app.get('/', { onRequest: async (request) => { await request.jwtVerify() } }, async (request) => parts.identifier.identify(request, PLAIN_POLICY))
  t.strictSame((await parts.app.inject(requestWithToken(createToken({ sub: '42', plan: 'premium' })))).json(), user('42', 'premium'))
  t.equal(calls.count, 1)
})

t.test('who was barred or unknown at first is the user that the application verified meanwhile', async (t) => {
  const parts = await tokenApp(t, {}, { jwt: true, maxFailures: 1 })
  const later: object[] = []
  parts.app.get('/private', {
    preValidation: async (request) => { await request.jwtVerify() },
    preHandler: async (request) => { later.push(await parts.identifier.identify(request, PLAIN_POLICY)) }
  }, async () => 'x')
  await identifySender(parts, requestWithToken('garbage'))
  t.strictSame(await identifySender(parts, { ...requestWithToken(createToken({ sub: '42' })), url: '/private' }), ADDRESS, 'barred')
  t.strictSame(later, [user('42')])
})

t.test('of 1000 forged tokens of an address at most maxFailures are verified in a minute', async (t) => {
  const { calls, secret } = countedSecret()
  const parts = await tokenApp(t, { secret }, { jwt: true, maxFailures: 10 })
  for (let i = 0; i < 1000; i++) t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: i }, { secret: 'another secret, of about the same length' }))), ADDRESS)
  t.equal(calls.count, 10)
  t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42' }))), ADDRESS, 'a valid one of the same address counts by it')
  t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42' }), '198.51.100.1')), user('42'), 'that of another address does not')
  parts.clock.advance(30 * SECOND)
  t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42' }))), ADDRESS)
  parts.clock.advance(31 * SECOND)
  t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42' }))), user('42'))
})

t.test('forged tokens at once are no more than one after the other', async (t) => {
  const calls = { count: 0 }
  const secret = async () => { calls.count++; await new Promise(setImmediate); return SECRET }
  const parts = await tokenApp(t, { secret: secret as never }, { jwt: true, maxFailures: 10 })
  await parts.app.ready()
  await Promise.all(Array.from({ length: 200 }, (_, i) => parts.app.inject(requestWithToken(createToken({ sub: i }, { secret: 'another secret, of about the same length' })))))
  t.equal(calls.count, 10)
})

t.test('valid tokens are no failures, however many there are', async (t) => {
  for (const secret of [SECRET, async () => SECRET]) {
    const parts = await tokenApp(t, { secret: secret as never }, { jwt: true, maxFailures: 3 })
    for (let i = 0; i < 50; i++) {
      parts.clock.advance(MS)
      t.match(await identifySender(parts, requestWithToken(createToken({ sub: i }))), { kind: 'user', id: String(i) })
    }
  }
})

t.test('failures of IPv6 count by subnet', async (t) => {
  const parts = await tokenApp(t, {}, { jwt: true, maxFailures: 4 })
  for (let i = 0; i < 4; i++) await identifySender(parts, requestWithToken('garbage', `2001:db8:0:ab0${i}::${i}`))
  t.match(await identifySender(parts, requestWithToken(createToken({ sub: '42' }), '2001:db8:0:ab99::1')), { kind: 'ip', id: '2001:db8:0:ab00::/56' })
  t.match(await identifySender(parts, requestWithToken(createToken({ sub: '42' }), '2001:db8:0:ac00::1')), { kind: 'user' })
})

t.test('a verification that hangs ends with the deadline, and is logged without the token', async (t) => {
  const parts = await tokenApp(t, { secret: (() => {}) as never }, { jwt: true, deadline: 20 })
  const shown = createToken({ sub: '42' })
  // Its timer keeps no process alive; the server does.
  await parts.app.listen({ port: 0 })
  t.strictSame(await identifySender(parts, requestWithToken(shown)), ADDRESS)
  t.match(parts.log, [{ source: 'identify', err: { message: 'no verified token within 20 ms' } }])
  t.notOk(JSON.stringify(parts.log).includes(shown.slice(-20)))
})

t.test('a verification that comes too late leaves the request alone', async (t) => {
  const waiting: Array<(key: string) => void> = []
  const secret = () => new Promise<string>((resolve) => { waiting.push(resolve) })
  const parts = await tokenApp(t, { secret: secret as never }, { jwt: true, deadline: 20 })
  const seen: unknown[] = []
  parts.app.addHook('preHandler', async (request) => {
    const verified = request.jwtVerify()
    for (const resolve of waiting) resolve(SECRET)
    await verified
    await new Promise(setImmediate)
    seen.push(request.user)
  })
  await parts.app.listen({ port: 0 })
  t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42' }))), ADDRESS)
  t.match(seen, [{ sub: '42' }])
})

const unsupported: ReadonlyArray<readonly [jwt: object | null, identify: IdentifyOptions, message: string]> = [
  [null, { jwt: true }, 'rateLimit.identify.jwt: found no @fastify/jwt that provides request.jwtVerify(); register it in this scope or around it, and set its namespace here if it has one'],
  [{ namespace: 'api' }, { jwt: true }, 'rateLimit.identify.jwt: found no @fastify/jwt that provides request.jwtVerify(); register it in this scope or around it, and set its namespace here if it has one'],
  [{}, { jwt: { namespace: 'api' } }, 'rateLimit.identify.jwt: found no @fastify/jwt with the namespace "api" that provides request.apiJwtVerify(); register it in this scope or around it, and set its namespace here if it has one'],
  [{ namespace: 'api', jwtVerify: 'verifyApi' }, { jwt: { namespace: 'api' } }, 'rateLimit.identify.jwt: found no @fastify/jwt with the namespace "api" that provides request.apiJwtVerify(); register it in this scope or around it, and set its namespace here if it has one']
]
for (const [jwt, identify, message] of unsupported) {
  t.test(`an application with ${jwt === null ? 'no @fastify/jwt' : `@fastify/jwt of ${JSON.stringify(jwt)}`} does not get ready with ${JSON.stringify(identify)}`, async (t) => {
    const { app } = createIdentifyingApp(t, {})
    app.addHook('onReady', async () => checkTokenSupport(app, resolveOptions({ identify }).identify))
    if (jwt !== null) app.register(fastifyJwt, { secret: SECRET, ...jwt })
    await t.rejects(async () => await app.ready(), { code: 'FST_SLUICE_NO_JWT', message })
  })
}

t.test('an application without tokens needs no @fastify/jwt', async (t) => {
  const { app } = createIdentifyingApp(t, {})
  for (const identify of [undefined, {}, { jwt: false }]) checkTokenSupport(app, resolveOptions({ identify }).identify)
})
