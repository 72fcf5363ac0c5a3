import fastifyJwt, { type FastifyJWTOptions } from '@fastify/jwt'
import type { FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import type { TokenOptions } from '../../lib/config/schema/identity-schema.js'
import { limitedApp } from '../fixtures/app.js'
import { createToken, requestWithToken } from '../fixtures/tokens.js'

const CUSTOMER = 'the secret of customers, long enough for HMAC'
const ADMIN = 'the secret of administrators, as long as that'
const payload = { sub: 'root', tier: 'internal' }

/** An application that verifies each token as a customer's first, and limits by those of another registration. */
async function ask (t: Test, jwt: TokenOptions | true, registrations: FastifyJWTOptions[], secret: string, verify = 'customerJwtVerify') {
  const { app, plugin } = await limitedApp(t, { max: 5, timeWindow: '1 hour', name: 'outer', global: false, metrics: false, health: false })
  await app.register(async (scope) => {
    for (const options of registrations) await scope.register(fastifyJwt, options)
    scope.addHook('onRequest', async (request: FastifyRequest) => {
      const method: unknown = Reflect.get(request, verify)
      if (typeof method === 'function') await method.call(request).catch(() => {})
    })
    await scope.register(plugin, { max: 5, timeWindow: '1 hour', tiers: { internal: false }, identify: { jwt }, exempt: { users: ['root'] }, metrics: false, health: false })
    scope.get('/limited', async (request) => ({ outcome: request.rateLimit?.outcome, client: request.rateLimit?.client.partition }))
  })
  return (await app.inject({ ...requestWithToken(createToken(payload, { secret })), url: '/limited' })).json()
}

const refused = { outcome: 'allowed', client: 'ip:203.0.113.9' }
const believed = { outcome: 'exempt', client: 'user:root' }
const customer = { namespace: 'customer', secret: CUSTOMER }
const admin = { namespace: 'admin', secret: ADMIN }

const rows: ReadonlyArray<readonly [jwt: TokenOptions | true, registrations: FastifyJWTOptions[], secret: string, expected: object, why: string]> = [
  [{ namespace: 'admin' }, [customer, admin], CUSTOMER, refused, 'a customer is no administrator'],
  [{ namespace: 'admin' }, [admin, customer], CUSTOMER, refused, 'in either order'],
  [{ namespace: 'admin' }, [customer, admin], ADMIN, believed, 'an administrator is'],
  [true, [{ secret: ADMIN }, customer], CUSTOMER, refused, 'nor is one of the registration without a namespace'],
  [true, [{ secret: ADMIN }, customer], ADMIN, believed, 'whose own are'],
  [{ namespace: 'admin' }, [customer, { ...admin, decoratorName: 'admin' }], CUSTOMER, refused, 'with properties of their own'],
  [{ namespace: 'admin' }, [customer, { ...admin, decoratorName: 'admin' }], ADMIN, believed, 'those too']
]
for (const [jwt, registrations, secret, expected, why] of rows) {
  const names = registrations.map(({ namespace = 'none', decoratorName = 'user' }) => `${namespace}/${decoratorName}`).join(', ')
  t.test(`identify.jwt ${JSON.stringify(jwt)} beside ${names}: ${JSON.stringify(expected)} (${why})`, async (t) => {
    t.strictSame(await ask(t, jwt, registrations, secret), expected)
  })
}

t.test('what the own namespace has verified is still not verified again', async (t) => {
  let verified = 0
  const counted = (_request: unknown, _token: unknown, done: (error: null, key: string) => void) => { verified++; done(null, ADMIN) }
  t.strictSame(await ask(t, { namespace: 'admin' }, [customer, { namespace: 'admin', decoratorName: 'admin', secret: counted as never }], ADMIN, 'adminJwtVerify'), believed)
  t.equal(verified, 1)
})
