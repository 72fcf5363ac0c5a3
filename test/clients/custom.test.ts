import fastifyJwt from '@fastify/jwt'
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { createIdentifierApp, requestWithToken, createIdentifyingApp, PLAIN_POLICY, SECRET, createToken, identifySender } from '../fixtures/tokens.js'
import { AddressReader } from '../../lib/clients/address/address-reader.js'
import type { CustomIdentify } from '../../lib/config/schema/identity-schema.js'

const ADDRESS = new AddressReader(56).toClient('203.0.113.9')
const KEY = { kind: 'key', id: 'k', tier: 'anonymous', partition: 'key:k' }
const user = (id: string, tier = 'standard') => ({ kind: 'user', id, tier, partition: `user:${id}` })
const request = { url: '/', remoteAddress: '203.0.113.9' }
const keyed = { hook: 'onRequest', keyGenerator: () => 'k' } as const

const answers: ReadonlyArray<readonly [answer: unknown, client: object, why: string]> = [
  [{ id: '42' }, user('42'), 'a user'],
  [{ id: '42', tier: 'premium' }, user('42', 'premium'), 'a user with a tier'],
  [{ id: 42, tier: null }, user('42'), 'a number, and no tier'],
  [{ id: 'a:b#c' }, user('a:b#c'), 'any characters'],
  [null, KEY, 'nobody'],
  [undefined, KEY, 'nothing']
]
for (const [answer, client, why] of answers) {
  for (const kind of ['at once', 'by a promise', 'by another thenable'] as const) {
    t.test(`identify.custom that answers ${JSON.stringify(answer)} ${kind} names ${JSON.stringify(client)} (${why})`, async (t) => {
      const thenable = { then: (resolve: (answer: unknown) => void) => { setImmediate(resolve, answer) } }
      const custom = () => (kind === 'at once' ? answer : kind === 'by a promise' ? Promise.resolve(answer) : thenable) as never
      const parts = createIdentifyingApp(t, { identify: { custom } }, keyed)
      t.strictSame(await identifySender(parts, request), client)
      t.strictSame(parts.log, [])
    })
  }
}

const failures: ReadonlyArray<readonly [custom: () => unknown, message: string, why: string]> = [
  [() => { throw new Error('broken') }, 'broken', 'throws'],
  [async () => { throw new Error('broken') }, 'broken', 'rejects'],
  [() => ({ then () { throw new Error('broken') } }), 'broken', 'is a thenable that throws'],
  [() => 'secret', 'expected identify.custom to return { id, tier?, anchor? } or null, got a string', 'a text'],
  [() => 42, 'expected identify.custom to return { id, tier?, anchor? } or null, got a number', 'a number'],
  [() => false, 'expected identify.custom to return { id, tier?, anchor? } or null, got a boolean', 'a boolean'],
  [async () => 'secret', 'expected identify.custom to return { id, tier?, anchor? } or null, got a string', 'a text later'],
  [() => ({}), 'expected identify.custom to return an id: a string of 1 or more characters, or a number', 'no id'],
  [() => ({ id: '' }), 'expected identify.custom to return an id: a string of 1 or more characters, or a number', 'an empty id'],
  [() => ({ id: NaN }), 'expected identify.custom to return an id: a string of 1 or more characters, or a number', 'no number'],
  [() => ({ id: { secret: 1 } }), 'expected identify.custom to return an id: a string of 1 or more characters, or a number', 'an object for an id'],
  [() => ({ get id () { throw new Error('broken') } }), 'broken', 'an id that cannot be had']
]
for (const [custom, message, why] of failures) {
  t.test(`an identify.custom that fails (${why}) leaves the token, the key and the address, and is logged once a minute`, async (t) => {
    const identify = { custom: custom as CustomIdentify, jwt: true }
    const parts = createIdentifyingApp(t, { identify }, keyed)
    await parts.app.register(fastifyJwt, { secret: SECRET })
    t.strictSame(await identifySender(parts, request), KEY)
    t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42' }))), user('42'))
    t.strictSame(parts.log.map(({ source, err }) => [source, err?.message]), [['identify', message]])
    t.notOk(JSON.stringify(parts.log).includes('secret'))
    parts.clock.advance(61_000_000)
    await identifySender(parts, request)
    t.match(parts.log[1], { source: 'identify', suppressed: 1 })
    const bare = createIdentifyingApp(t, { identify })
    t.strictSame(await identifySender(bare, request), ADDRESS)
  })
}

t.test('a tier that is none is the default one, and is logged', async (t) => {
  for (const tier of ['', 7, 'p'.repeat(65), {}]) {
    const parts = createIdentifyingApp(t, { identify: { custom: () => ({ id: '42', tier: tier as string }), defaultTier: 'basic' } })
    t.strictSame(await identifySender(parts, request), user('42', 'basic'))
    t.match(parts.log, [{ source: 'identify', err: { message: 'expected identify.custom to return a tier of 1 to 64 characters, or no tier' } }])
  }
})

t.test('whom custom names is not asked for his token or key', async (t) => {
  let isKeyAsked = false
  const parts = createIdentifyingApp(t, { identify: { custom: () => ({ id: '7' }), jwt: true } }, { hook: 'onRequest', keyGenerator: () => { isKeyAsked = true; return 'k' } })
  let isVerified = false
  await parts.app.register(fastifyJwt, { secret: ((_: unknown, __: unknown, done: (error: null, key: string) => void) => { isVerified = true; done(null, SECRET) }) as never })
  t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42' }))), user('7'))
  t.notOk(isKeyAsked)
  t.notOk(isVerified)
})

t.test('custom has the word of a null, a token that of a user, a key that of a policy', async (t) => {
  const parts = createIdentifyingApp(t, { identify: { custom: async () => null, jwt: true } }, { hook: 'onRequest', keyGenerator: async () => 'k' })
  await parts.app.register(fastifyJwt, { secret: SECRET })
  t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42' }))), user('42'))
  t.strictSame(await identifySender(parts, requestWithToken('garbage')), KEY)
})

t.test('several policies of a request ask custom once, and their keys each', async (t) => {
  let asked = 0
  const parts = createIdentifierApp(t, { identify: { custom: async () => { asked++; return null } } })
  const named = (name: string) => ({ hook: 'onRequest', keyGenerator: () => name }) as const
  parts.app.get('/', async (request) => [
    await parts.identifier.identify(request, named('a')),
    await parts.identifier.identify(request, named('b')),
    ...await Promise.all(['c', 'd'].map((name) => parts.identifier.identify(request, named(name))))
  ])
  t.match((await parts.app.inject(request)).json(), ['a', 'b', 'c', 'd'].map((id) => ({ kind: 'key', id })))
  t.equal(asked, 1)
})

t.test('identifications at once, before the answer, ask custom once', async (t) => {
  let asked = 0
  const parts = createIdentifierApp(t, { identify: { custom: async () => { asked++; await new Promise(setImmediate); return { id: '42' } } } })
  parts.app.get('/', async (request) => Promise.all([1, 2, 3].map(() => parts.identifier.identify(request, PLAIN_POLICY))))
  t.strictSame((await parts.app.inject(request)).json(), [user('42'), user('42'), user('42')])
  t.equal(asked, 1)
})

t.test('a policy of a later phase asks again who nobody was, and keeps who somebody was', async (t) => {
  const sessions = new WeakMap<FastifyRequest, string>()
  let asked = 0
  const custom = (request: FastifyRequest) => {
    asked++
    const id = sessions.get(request)
    return id === undefined ? null : { id }
  }
  const parts = createIdentifierApp(t, { identify: { custom } })
  parts.app.get('/', async (request) => {
    const found = [await parts.identifier.identify(request, PLAIN_POLICY)]
    sessions.set(request, '42')
    found.push(await parts.identifier.identify(request, PLAIN_POLICY), await parts.identifier.identify(request, { ...PLAIN_POLICY, hook: 'preHandler' }))
    sessions.set(request, '43')
    return [...found, await parts.identifier.identify(request, PLAIN_POLICY)]
  })
  t.match((await parts.app.inject(request)).json(), [{ kind: 'ip' }, { kind: 'ip' }, { id: '42' }, { id: '42' }])
  t.equal(asked, 2)
})

t.test('a custom that failed is not asked again for the request', async (t) => {
  let asked = 0
  const parts = createIdentifierApp(t, { identify: { custom: () => { asked++; throw new Error('broken') } } })
  parts.app.get('/', async (request) => {
    await parts.identifier.identify(request, PLAIN_POLICY)
    return parts.identifier.identify(request, { ...PLAIN_POLICY, hook: 'preHandler' })
  })
  t.match((await parts.app.inject(request)).json(), { kind: 'ip', partition: 'ip:203.0.113.9' })
  t.equal(asked, 1)
})

t.test('two registrations on one request each find their own user', async (t) => {
  const outer = createIdentifierApp(t, { identify: { custom: () => ({ id: 'outer' }) } })
  const inner = createIdentifierApp(t, { identify: { custom: () => ({ id: 'inner' }) } })
  outer.app.get('/', async (request) => [outer.identifier.identify(request, PLAIN_POLICY), inner.identifier.identify(request, PLAIN_POLICY), outer.identifier.identify(request, PLAIN_POLICY)])
  t.match((await outer.app.inject(request)).json(), [{ id: 'outer' }, { id: 'inner' }, { id: 'outer' }])
})

t.test('a custom that hangs ends with the deadline, and the next in order is used', async (t) => {
  const hangs = () => new Promise<null>(() => {})
  for (const [keyGenerator, client] of [[null, ADDRESS], [() => 'k', KEY], [async () => 'k', KEY], [() => new Promise<string>(() => {}), ADDRESS]] as const) {
    const parts = createIdentifyingApp(t, { identify: { custom: hangs, deadline: '20ms' } }, { hook: 'onRequest', keyGenerator })
    await parts.app.listen({ port: 0 })
    t.strictSame(await identifySender(parts, request), client)
    t.match(parts.log[0], { source: 'identify', err: { message: 'no result from identify.custom within 20 ms' } })
  }
})

t.test('a token still counts where custom hangs', async (t) => {
  for (const secret of [SECRET, async () => SECRET]) {
    const parts = createIdentifyingApp(t, { identify: { custom: () => new Promise(() => {}), jwt: true, deadline: 20 } })
    await parts.app.register(fastifyJwt, { secret: secret as never })
    await parts.app.listen({ port: 0 })
    t.strictSame(await identifySender(parts, requestWithToken(createToken({ sub: '42' }))), user('42'))
  }
})

t.test('the deadline is one for all that is asked', async (t) => {
  const parts = createIdentifyingApp(t, { identify: { custom: () => new Promise(() => {}), deadline: 30 } }, { hook: 'onRequest', keyGenerator: () => new Promise<string>(() => {}) })
  await parts.app.listen({ port: 0 })
  t.strictSame(await identifySender(parts, request), ADDRESS)
  t.match(parts.log, [{ source: 'identify' }, { source: 'keyGenerator', err: { message: 'no key within 30 ms' } }])
})

t.test('a rejection after the deadline harms nothing', async (t) => {
  let fail: (error: Error) => void = () => {}
  const parts = createIdentifyingApp(t, { identify: { custom: () => new Promise((_resolve, reject) => { fail = reject }), deadline: 10 } })
  await parts.app.listen({ port: 0 })
  await identifySender(parts, request)
  fail(new Error('too late'))
  await new Promise(setImmediate)
  t.equal(parts.log.length, 1)
})

t.test('an answer in the same turn is no promise', async (t) => {
  for (const identify of [undefined, {}, { custom: () => ({ id: '42' }) }, { custom: () => null }]) {
    const parts = createIdentifierApp(t, { identify })
    parts.app.get('/', async (request) => ({ isPromise: parts.identifier.identify(request, PLAIN_POLICY) instanceof Promise }))
    t.strictSame((await parts.app.inject(request)).json(), { isPromise: false })
  }
})

t.test('no id can be chosen that equals another user, a hash of a long one, a key or an address', async (t) => {
  const parts = createIdentifyingApp(t, { identify: { custom: ({ headers }) => ({ id: String(headers['x-id']) }) } })
  const partition = async (id: string) => (await identifySender(parts, { ...request, headers: { 'x-id': id } })).partition
  const long = 'u'.repeat(1000)
  const hashed = await partition(`${long}1`)
  t.match(hashed, /^user#[\w-]{43}$/)
  const all = [hashed, await partition(`${long}2`), await partition(hashed), await partition(hashed.slice('user'.length)), await partition(hashed.slice('user#'.length)), await partition('203.0.113.9'), await partition('key:k'), await partition('global')]
  t.equal(new Set([...all, '203.0.113.9', 'key:k', 'global']).size, all.length + 3)
})
