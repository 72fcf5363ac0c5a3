import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest } from 'fastify'
import rateLimitPlugin, { rateLimitPlugin as namedPlugin, RateLimitError, type RateLimitOptionsSchema, type RouteRateLimitSchema, type Decision, type ExplainedLease, type ExplainedOption, type LimitStanding, type QuotaUsage, type RateLimitOptions, type RegistrationExplanation, type RouteExplanation, type RouteRateLimit, type UnleasedReason } from 'fastify-sluice'
import { Redis as Redis5 } from 'ioredis5'
import type { Static } from '@sinclair/typebox'
import { describe, expect, test } from 'tstyche'

declare const app: FastifyInstance

test('the plugin is the default export and a named one', () => {
  expect(rateLimitPlugin).type.toBe(namedPlugin)
  expect(fastify().register).type.toBeCallableWith(rateLimitPlugin)
})

describe('register', () => {
  test('takes the options', () => {
    expect(app.register).type.toBeCallableWith(rateLimitPlugin, { max: 100, timeWindow: '1 minute' })
    expect(app.register).type.toBeCallableWith(rateLimitPlugin, { max: 100, timeWindow: 60_000, headers: 'both' as const })
    expect(app.register).type.toBeCallableWith(rateLimitPlugin, { memory: { maxKeys: 10_000 }, ipv6Subnet: 64, prefix: '/api' })
  })

  test('knows each option', () => {
    expect<RateLimitOptions>().type.toBeAssignableFrom({})
    expect<RateLimitOptions>().type.not.toBeAssignableFrom({ max: 'ten' })
    expect<RateLimitOptions>().type.not.toBeAssignableFrom({ headers: 'x-rate-limit' })
    expect<RateLimitOptions>().type.not.toBeAssignableFrom({ algorithm: 'leaky-bucket' })
    expect<RateLimitOptions>().type.not.toBeAssignableFrom({ memory: { maxKeys: '1' } })
    expect<RateLimitOptions>().type.toBeAssignableFrom({ leases: true })
    expect<RouteRateLimit>().type.toBeAssignableFrom({ leases: { hold: 500 }, limits: [{ name: 'a', max: 100, timeWindow: '1s', leases: false }] })
    expect<RateLimitOptions>().type.not.toBeAssignableFrom({ leases: '2s' })
    expect<RateLimitOptions>().type.not.toBeAssignableFrom({ tiers: { premium: { max: 5, leases: true } } })
  })
})

describe('who is asking', () => {
  test('takes identities, tiers and rules', () => {
    expect(app.register).type.toBeCallableWith(rateLimitPlugin, {
      identify: { jwt: { userClaim: 'app.id', tierClaim: 'app.plan' }, custom: async (request: FastifyRequest) => ({ id: String(request.headers['x-api-key']), tier: 'premium' }) },
      trustedProxies: ['10.0.0.0/8', 'loopback'],
      exempt: { ips: ['192.0.2.0/24'], users: ['7'], routes: ['/internal/*'], when: () => false },
      tiers: { premium: { max: 1000, timeWindow: '1 minute' }, internal: false as const },
      rules: [{ name: 'reports', match: '/api/*/reports', methods: ['GET'], override: true, max: 5, timeWindow: '1 minute' }]
    })
    expect<RateLimitOptions>().type.not.toBeAssignableFrom({ rules: [{ name: 'nameless' }] })
    expect<RateLimitOptions>().type.not.toBeAssignableFrom({ tiers: { internal: true } })
    expect<RateLimitOptions>().type.not.toBeAssignableFrom({ identify: { custom: () => 'nobody' } })
  })

  test('limits may be worked out for each request', () => {
    app.get('/plan', { config: { rateLimit: { max: (_request, client) => client.tier === 'premium' ? 100 : 10, timeWindow: () => '1 minute' } } }, async () => 'hello')
    expect<RouteRateLimit>().type.not.toBeAssignableFrom({ max: async () => '5' })
    app.get('/later', {
      config: {
        rateLimit: {
          max: async () => 5,
          timeWindow: async () => '1s',
          cost: async () => 2,
          keyGenerator: async () => 42n,
          errorResponseBuilder: async (_request, _decision, reply) => { await reply.redirect('/busy') },
          onExceeded: async () => {}
        }
      }
    }, async () => 'hello')
    app.get('/text', { config: { rateLimit: { keyGenerator: () => 42, errorResponseBuilder: () => 'slow down' } } }, async () => 'hello')
  })

  test('a limit has a cost of its own, and is settled by its name', () => {
    app.post('/tokens', {
      config: { rateLimit: { limits: [{ name: 'requests', max: 60, timeWindow: '1m' }, { name: 'tokens', max: 5000, timeWindow: '1m', cost: async (request) => request.url.length, onUnsettled: 'refund' }] } }
    }, async ({ rateLimit }) => {
      expect(rateLimit?.settle({ tokens: 5 })).type.toBe<void | Promise<void> | undefined>()
    })
    expect<RouteRateLimit>().type.not.toBeAssignableFrom({ limits: [{ name: 'tokens', max: 5, timeWindow: '1m', onUnsettled: 'return' }] })
    expect<Decision['settle']>().type.not.toBeCallableWith({ tokens: '5' })
    expect<Decision['settle']>().type.not.toBeCallableWith(5)
  })

  test('requests may be held, refunded and punished', () => {
    app.get('/held', { config: { rateLimit: { throttle: { maxDelay: '2s' }, penalty: { strikes: 3 }, refundOn: ['2xx', 304] } } }, async () => 'hello')
    app.get('/not', { config: { rateLimit: { throttle: false, penalty: false } } }, async () => 'hello')
    expect<RouteRateLimit>().type.not.toBeAssignableFrom({ throttle: true })
  })
})

describe('config.rateLimit', () => {
  test('takes limits, costs and false', () => {
    app.get('/', { config: { rateLimit: { max: 5, timeWindow: '10s' } } }, async () => 'hello')
    app.get('/cost', { config: { rateLimit: { cost: (request) => Number(request.headers['content-length'] ?? 1) } } }, async () => 'hello')
    app.get('/off', { config: { rateLimit: false } }, async () => 'hello')
    app.get('/two', {
      config: {
        rateLimit: {
          limits: [
            { name: 'burst', max: 5, timeWindow: '1s', algorithm: 'sliding-window' },
            { name: 'hourly', max: 100, timeWindow: '1 hour', mode: 'shadow' }
          ]
        }
      }
    }, async () => 'hello')
  })

  test('refuses what is not a policy', () => {
    expect<RouteRateLimit>().type.not.toBeAssignableFrom(true)
    expect<RouteRateLimit>().type.not.toBeAssignableFrom({ limits: [{ max: 5, timeWindow: '1s' }] })
    expect<RouteRateLimit>().type.not.toBeAssignableFrom({ cost: '10' })
    expect<RouteRateLimit>().type.not.toBeAssignableFrom({ hook: 'onSend' })
  })

  test('knows no plugin-wide option', () => {
    expect<keyof RouteRateLimit>().type.not.toBeAssignableFrom<'memory' | 'global' | 'headers'>()
  })

  test('gives callbacks the request and the decision', () => {
    app.get('/callbacks', {
      config: {
        rateLimit: {
          keyGenerator: async (request) => request.ip,
          onExceeded: (request, decision) => {
            expect(request).type.toBe<FastifyRequest>()
            expect(decision.outcome).type.toBe<'allowed' | 'delayed' | 'rejected' | 'blocked' | 'exempt' | 'unavailable'>()
          },
          errorResponseBuilder: (_request, decision) => ({ wait: decision.retryAfterMs })
        }
      }
    }, async () => 'hello')
  })
})

describe('request.rateLimit', () => {
  test('is null where no policy ran', () => {
    app.get('/', async (request) => {
      expect(request.rateLimit).type.toBeAssignableFrom(null)
      return request.rateLimit?.remaining ?? 0
    })
  })

  test("says 'never' where no wait helps", () => {
    expect<NonNullable<FastifyRequest['rateLimit']>['retryAfterMs']>().type.toBe<number | 'never'>()
  })
})

describe('fastify.rateLimit', () => {
  test('makes a hook, by its own name or as a guard', () => {
    expect(app.rateLimit()).type.toBe<ReturnType<typeof app.rateLimit.guard>>()
    app.get('/', { preHandler: app.rateLimit({ cost: 2 }) }, async () => 'hello')
    app.setNotFoundHandler({ preHandler: app.rateLimit() }, (_request, reply) => { reply.send() })
  })

  test('decides, looks up and forgets', () => {
    expect(app.rateLimit.check).type.toBeCallableWith({} as FastifyRequest, { max: 5, timeWindow: '1s', groupId: 'jobs' })
    expect(app.rateLimit.check).type.not.toBeCallableWith()
    expect(app.rateLimit.consume).type.toBeCallableWith('user:42')
    expect(app.rateLimit.consume).type.toBeCallableWith('user:42', { max: 5, timeWindow: '1s', groupId: 'jobs', cost: 3, tier: 'premium' })
    expect(app.rateLimit.consume).type.not.toBeCallableWith('user:42', { keyGenerator: () => 'k' })
    expect(app.rateLimit.consume).type.not.toBeCallableWith({} as FastifyRequest)
    expect(app.rateLimit.peek).type.toBeCallableWith('ip:203.0.113.9')
    expect(app.rateLimit.reset('global')).type.toBe<Promise<number>>()
  })

  test('explains a route, or everything', () => {
    expect(app.rateLimit.explain('GET /')).type.toBe<RouteExplanation>()
    expect(app.rateLimit.explain({ method: 'GET', url: '/', constraints: { version: '1.0.0' } })).type.toBe<RouteExplanation>()
    expect(app.rateLimit.explain()).type.toBe<RegistrationExplanation>()
    expect(app.rateLimit.explain).type.not.toBeCallableWith({ url: '/' })
    expect(app.rateLimit.explain('GET /').state).type.toBe<'limited' | 'by request' | 'exempt' | 'off' | 'misconfigured' | 'not known'>()
    expect(app.rateLimit.explain('GET /').policies[0].options).type.toBe<readonly ExplainedOption[]>()
    expect(app.rateLimit.explain().policies[0].tiers[0].leases).type.toBe<readonly ExplainedLease[]>()
    expect<ExplainedLease['reason']>().type.toBe<UnleasedReason | null>()
    expect<ExplainedOption['from']>().type.toBe<'built-in' | 'register' | 'file' | 'environment' | 'operator' | 'route'>()
  })
})

describe('the types of options', () => {
  test('are those of the schemas', () => {
    expect<RateLimitOptions>().type.toBe<Static<typeof RateLimitOptionsSchema>>()
    expect<RouteRateLimit>().type.toBe<Static<typeof RouteRateLimitSchema>>()
  })

  test('refuse wrong values on a route', () => {
    expect(app.get).type.not.toBeCallableWith('/', { config: { rateLimit: { max: '5' } } }, async () => 'hello')
    expect(app.get).type.not.toBeCallableWith('/', { config: { rateLimit: { by: 'everyone' } } }, async () => 'hello')
    expect(app.get).type.not.toBeCallableWith('/', { config: { rateLimit: { concurrency: { max: 'auto' } } } }, async () => 'hello')
    expect(app.get).type.toBeCallableWith('/', { config: { rateLimit: { concurrency: { max: 'adaptive', min: 2 }, tiers: { gold: { priority: 1 } } } } }, async () => 'hello')
    expect(app.get).type.not.toBeCallableWith('/', { config: { rateLimit: { cost: async () => '1' } } }, async () => 'hello')
  })

  // Fastify infers the rest of a config from the literal, so that a misspelt key compiles there; the declaration throws.
  test('know each key', () => {
    expect<keyof RouteRateLimit>().type.toBe<
      'max' | 'timeWindow' | 'limits' | 'algorithm' | 'burst' | 'by' | 'cost' | 'groupId' | 'mode' | 'hook' |
      'keyGenerator' | 'errorResponseBuilder' | 'onExceeding' | 'onExceeded' | 'onBlocked' | 'failureMode' |
      'tiers' | 'refundOn' | 'throttle' | 'penalty' | 'enforce' | 'leases' | 'concurrency' | 'period' | 'timeZone' | 'anchor'
    >()
  })
})

describe('a decision', () => {
  test('is what request.rateLimit holds, and what check answers', () => {
    expect<FastifyRequest['rateLimit']>().type.toBe<Decision | null>()
    expect(app.rateLimit.check({} as FastifyRequest)).type.toBe<Promise<Decision | null>>()
    expect(app.rateLimit.usage('user:42')).type.toBe<Promise<QuotaUsage[]>>()
    expect<Decision['settle']>().type.toBeCallableWith({ tokens: 12 })
    expect(app.rateLimit.consume('global')).type.toBe<Promise<Decision | null>>()
    expect<Decision>().type.toBeAssignableTo<AsyncDisposable>()
    expect<Decision>().type.toBeAssignableTo<Disposable>()
    expect<Decision['standings']>().type.toBe<readonly LimitStanding[]>()
  })

  test('cannot be written to', () => {
    expect<Decision>().type.toHaveProperty('outcome')
    expect<Pick<Decision, 'remaining'>>().type.toBe<{ readonly remaining: number }>()
  })

  test('makes a RateLimitError', () => {
    expect(RateLimitError).type.toBeConstructableWith({} as Decision)
    expect(RateLimitError).type.not.toBeConstructableWith('slow down')
    expect(new RateLimitError({} as Decision)).type.toBeAssignableTo<Error>()
  })
})

test('a guard fits every hook, and may be awaited', () => {
  const guard = app.rateLimit()
  app.get('/', { onRequest: guard, preValidation: [guard], preHandler: guard }, async () => 'hello')
  app.addHook('preHandler', guard)
  app.addHook('preHandler', async (request, reply) => { await guard(request, reply) })
  expect(app.rateLimit).type.not.toBeCallableWith({ max: '5' })
})

describe('applications of every kind', () => {
  interface OwnLogger extends FastifyBaseLogger { audit (text: string): void }
  const loggerInstance = fastify().log as OwnLogger

  test('guards and checks fit HTTP/2 and a logger of another type', () => {
    const http2 = fastify({ http2: true })
    const guard = app.rateLimit({ max: 5, groupId: 'guarded' })
    http2.get('/', { onRequest: guard, preParsing: guard, preValidation: guard, preHandler: [http2.rateLimit()] }, async (request) => await http2.rateLimit.check(request))
    http2.addHook('onRequest', async (request, reply) => { await guard(request, reply) })
    http2.setNotFoundHandler({ preHandler: guard }, () => {})
    const logged = fastify({ loggerInstance })
    logged.get('/', { preHandler: logged.rateLimit.guard() }, async (request) => await logged.rateLimit.check(request))
    logged.addHook('onRequest', guard)
  })

  test('a client of ioredis 5 fits, and a variable that may be undefined', () => {
    expect<RateLimitOptions>().type.toBeAssignableFrom({ redis: new Redis5() })
    expect<RateLimitOptions>().type.toBeAssignableFrom({ redis: process.env.REDIS_URL })
    expect<RateLimitOptions['redis']>().type.toBeAssignableFrom<undefined>()
    expect<RateLimitOptions>().type.not.toBeAssignableFrom({ redis: 6379 })
  })
})
