import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { Static } from '@sinclair/typebox'
import rateLimitPlugin, { RateLimitOptionsSchema, RouteRateLimitSchema, type Decision, type LimitOptions, type RateLimitDecorator, type RateLimitOptions, type RouteRateLimit, type RuleOptions, type Store, type TierOptions } from 'fastify-sluice'
import { describe, expect, test } from 'tstyche'

declare const app: FastifyInstance

describe('a wrong key does not compile', () => {
  test('in the options of the plugin', () => {
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { maxx: 5 })
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { max: 5, timewindow: '1s' })
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { breaker: { failure: 5 } })
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { exempt: { paths: ['/'] } })
  })

  test('in a limit, a tier or a rule', () => {
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { limits: [{ name: 'a', max: 5, timeWindow: '1s', burts: 5 }] })
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { tiers: { premium: { max: 5, mode: 'shadow' as const } } })
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { rules: [{ name: 'a', match: '/*', method: ['GET'] }] })
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { rules: [{ name: 'a', match: '/*', headers: 'both' as const }] })
  })

  test('in a policy by its own', () => {
    expect(app.rateLimit.guard).type.not.toBeCallableWith({ maxx: 5 })
    expect(app.rateLimit.check).type.not.toBeCallableWith({} as FastifyRequest, { groupid: 'a' })
  })
})

describe('the password of Redis', () => {
  test('may be text, a function, or an async function', () => {
    const wrong = { username: () => 5 }
    for (const password of ['text', () => 'text', async () => 'text', async () => ({ password: 'text', expiresInMs: 1000 })]) {
      expect(app.register).type.toBeCallableWith(rateLimitPlugin, { redis: { host: 'a', password } })
      expect(app.register).type.toBeCallableWith(rateLimitPlugin, { redis: { sentinels: [{ host: 'a', port: 1 }], name: 'a', password } })
      expect(app.register).type.toBeCallableWith(rateLimitPlugin, { redis: { cluster: ['a'], redisOptions: { password } } })
    }
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { redis: { password: () => 5 } })
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { redis: { password: () => ({ token: 'text' }) } })
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { redis: wrong })
  })
})

describe('a wrong value does not compile', () => {
  test('in the options of the plugin', () => {
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { timeWindow: true })
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { headers: 'x-rate-limit' as const })
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { trustedProxies: 'loopback' })
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { identify: { jwt: { userClaim: 7 } } })
    expect(app.register).type.not.toBeCallableWith(rateLimitPlugin, { store: 'redis' })
    expect<RateLimitOptions>().type.not.toBeAssignableFrom<{ store: Omit<Store, 'reset'> }>()
    expect<RateLimitOptions>().type.toBeAssignableFrom<{ store: Omit<Store, 'close'> }>()
  })

  test('in a limit, a tier or a rule', () => {
    expect<LimitOptions>().type.not.toBeAssignableFrom({ name: 'a', max: '5', timeWindow: '1s' })
    expect<LimitOptions>().type.not.toBeAssignableFrom({ name: 'a', timeWindow: '1s' })
    expect<TierOptions>().type.not.toBeAssignableFrom({ algorithm: 'leaky-bucket' })
    expect<RuleOptions>().type.not.toBeAssignableFrom({ name: 'a', match: /^\/api/ })
    expect<RuleOptions>().type.not.toBeAssignableFrom({ name: 'a', match: '/api/*', methods: 'GET' })
  })

  test('on a route', () => {
    expect(app.get).type.not.toBeCallableWith('/', { config: { rateLimit: true } }, async () => 'hello')
    expect(app.get).type.not.toBeCallableWith('/', { config: { rateLimit: { timeWindow: null } } }, async () => 'hello')
    expect(app.get).type.not.toBeCallableWith('/', { config: { rateLimit: { limits: [{ max: 5, timeWindow: '1s' }] } } }, async () => 'hello')
    expect(app.get).type.not.toBeCallableWith('/', { config: { rateLimit: { tiers: { premium: { max: '5' } } } } }, async () => 'hello')
    expect(app.get).type.not.toBeCallableWith('/', { config: { rateLimit: { throttle: { maxDelay: false } } } }, async () => 'hello')
  })

  // Fastify infers the rest of a config from the literal, so that a wrong key compiles on a route; the declaration
  // throws. `satisfies` tells it earlier.
  test('on a route, where it is said what it must satisfy', () => {
    // @ts-expect-error maxx
    app.get('/', { config: { rateLimit: { maxx: 5 } satisfies RouteRateLimit } }, async () => 'hello')
    // @ts-expect-error timewindow
    app.get('/', { config: { rateLimit: { max: 5, timewindow: '1s' } satisfies RouteRateLimit } }, async () => 'hello')
  })
})

describe('the schemas', () => {
  const typed = fastify().withTypeProvider<TypeBoxTypeProvider>()

  test('infer by themselves', () => {
    expect<Static<typeof RateLimitOptionsSchema>>().type.toBe<RateLimitOptions>()
    expect<Static<typeof RouteRateLimitSchema>>().type.toBe<RouteRateLimit>()
    expect<Static<typeof RouteRateLimitSchema>['mode']>().type.toBe<'enforce' | 'shadow' | undefined>()
  })

  test('infer through the type provider', () => {
    typed.put('/limits', { schema: { body: RouteRateLimitSchema, response: { 200: RouteRateLimitSchema } } }, async (request) => {
      expect(request.body).type.toBe<RouteRateLimit>()
      return request.body
    })
    typed.put('/options', { schema: { body: Type.Object({ options: RateLimitOptionsSchema }) } }, async (request) => {
      expect(request.body.options).type.toBe<RateLimitOptions>()
    })
  })

  test('leave what the type provider infers of a route as it is', () => {
    typed.register(rateLimitPlugin, { max: 5, timeWindow: '1s' })
    typed.get('/', {
      schema: { querystring: Type.Object({ page: Type.Integer() }) },
      config: { rateLimit: { max: 5, timeWindow: '1s', cost: (request) => request.url.length } },
      preHandler: typed.rateLimit({ groupId: 'pages', max: 5, timeWindow: '1s' })
    }, async (request, reply) => {
      expect(request.query.page).type.toBe<number>()
      expect(request.rateLimit).type.toBe<Decision | null>()
      expect(await typed.rateLimit.check(request)).type.toBe<Decision | null>()
      expect(reply.code).type.toBeCallableWith(200)
    })
  })
})

describe('what the plugin adds', () => {
  test('is on the instance and on each request', () => {
    expect<FastifyInstance['rateLimit']>().type.toBe<RateLimitDecorator>()
    expect<FastifyRequest['rateLimit']>().type.toBe<Decision | null>()
    expect<FastifyReply>().type.not.toHaveProperty('rateLimit')
  })

  test('narrows by outcome, by client and by wait', () => {
    app.get('/', async ({ rateLimit }) => {
      if (rateLimit === null) return expect(rateLimit).type.toBe<null>()
      switch (rateLimit.outcome) {
        case 'allowed': case 'delayed': case 'exempt': return
        case 'rejected': case 'blocked':
          if (rateLimit.retryAfterMs !== 'never') expect(rateLimit.retryAfterMs).type.toBe<number>()
          return
        case 'unavailable': return
        default: expect(rateLimit.outcome).type.toBe<never>()
      }
    })
    expect<Decision['client']['kind']>().type.toBe<'ip' | 'user' | 'key' | 'global'>()
  })
})
