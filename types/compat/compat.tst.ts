// A program of its own: what the plugin itself says of Fastify is said otherwise here.
import type { Http2SecureServer, Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, type preHandlerAsyncHookHandler } from 'fastify'
import rateLimit, {
  fastifyRateLimit, normalizeIP, type CreateRateLimitOptions, type errorResponseBuilderContext, type FastifyRateLimitOptions, type FastifyRateLimitStore,
  type FastifyRateLimitStoreCtor, type RateLimitHook, type RateLimitOptions, type RateLimitPluginOptions
} from 'fastify-sluice/compat'
import type { RouteOptions } from 'fastify'
import { describe, expect, test } from 'tstyche'

declare const app: FastifyInstance

declare module 'fastify-sluice/compat' {
  interface CreateRateLimitOptions { audience?: 'staff' | 'all' }
  interface FastifyRateLimitOptions { table?: string }
  interface errorResponseBuilderContext { trace?: string }
  interface FastifyRateLimitStore { close?: () => void }
}

/** As an application writes one for the original. */
class CustomStore implements FastifyRateLimitStore {
  options: FastifyRateLimitOptions

  constructor (options: FastifyRateLimitOptions) {
    this.options = options
  }

  incr (_key: string, callback: (error: Error | null, result?: { ttl: number, current: number }) => void) {
    callback(null, { ttl: 300, current: 10 })
  }

  child (_routeOptions: RouteOptions & { path: string, prefix: string }) {
    return new CustomStore({})
  }
}

test('the exports are those of the original', () => {
  expect(rateLimit).type.toBe(fastifyRateLimit)
  expect(normalizeIP('::1', 64)).type.toBe<string>()
  expect(normalizeIP).type.toBeCallableWith('::1')
  expect<RateLimitHook>().type.toBe<'onRequest' | 'preParsing' | 'preValidation' | 'preHandler'>()
})

describe('register', () => {
  const options = {
    global: true,
    max: 3,
    timeWindow: 5000,
    cache: 10_000,
    allowList: ['127.0.0.1'],
    redis: { duplicate () {}, anything: true },
    nameSpace: 'app-',
    skipOnError: true,
    ban: 10,
    continueExceeding: false,
    exponentialBackoff: true,
    hook: 'preHandler',
    ipv6Subnet: 48,
    keyGenerator: (req: FastifyRequest) => req.ip,
    errorResponseBuilder: (_req: FastifyRequest, context: errorResponseBuilderContext) => {
      if (context.ban) return { statusCode: 403, message: `banned, ${context.after}` }
      return { statusCode: 429, message: `${context.max} ${context.ttl}` }
    },
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false, 'retry-after': false },
    onExceeding: (_req: FastifyRequest, _key: string) => ({ a: 'anything' }),
    onExceeded: (_req: FastifyRequest, _key: string) => ({ a: 'anything' }),
    onBanReach: (_req: FastifyRequest, _key: string) => {},
    enableDraftSpec: true,
    store: CustomStore
  } satisfies RateLimitPluginOptions

  test('takes the options of the original', () => {
    fastify().register(rateLimit)
    fastify().register(rateLimit, options)
    fastify().register(import('fastify-sluice/compat'), options)
    fastify().register(rateLimit, { ...options, redis: null, prefix: '/api' })
    fastify().register(rateLimit, { addHeaders: { 'ratelimit-limit': false }, addHeadersOnExceeding: { 'ratelimit-reset': false } })
  })

  test('takes functions, asynchronous ones too', () => {
    fastify().register(rateLimit, {
      max: async (req, key) => key === req.ip ? 1 : 2,
      timeWindow: (req, key) => key === req.ip ? 1 : 2,
      allowList: async (req, key) => key === req.ip,
      keyGenerator: async (req) => Number(req.id)
    })
    expect<RateLimitPluginOptions['max']>().type.toBeAssignableFrom(async (_req: FastifyRequest, _key: string) => 5)
    expect<RateLimitPluginOptions['max']>().type.not.toBeAssignableFrom('5')
  })
})

describe('config.rateLimit', () => {
  test('takes the options of a route, and false', () => {
    app.get('/', { config: { rateLimit: { max: 10, timeWindow: '60s', groupId: 'g', ban: 3 } } }, async () => 'hello')
    app.get('/off', { config: { rateLimit: false } }, async () => 'hello')
    app.get('/own', { config: { rateLimit: {} } }, async () => 'hello')
    app.get('/function', { config: { rateLimit: { max: async (req, key) => key === req.ip ? 1 : 2, onExceeded: (req, key) => { req.log.info(key) } } } }, async () => 'hello')
  })

  test('refuses wrong values', () => {
    expect(app.get).type.not.toBeCallableWith('/', { config: { rateLimit: { max: '5' } } }, async () => 'hello')
    expect<RateLimitOptions>().type.not.toBeAssignableFrom(true)
    expect<RateLimitOptions>().type.not.toBeAssignableFrom({ hook: 'onSend' as const })
    expect<keyof RateLimitOptions>().type.not.toBeAssignableFrom<'redis' | 'global' | 'nameSpace'>()
  })
})

describe('the decorators', () => {
  test('rateLimit makes a hook', () => {
    app.setNotFoundHandler({ preHandler: app.rateLimit() }, (_request, reply) => { reply.code(404).send() })
    app.get('/', { preHandler: app.rateLimit({ max: 4, timeWindow: 500 }) }, async () => 'hello')
    app.get('/both', { onRequest: [app.rateLimit()], preHandler: [app.rateLimit({ onBanReach: () => {} })] }, async () => 'hello')
  })

  test('rateLimit makes a hook for a route of any server, logger and type provider', () => {
    expect(app.rateLimit()).type.toBe<preHandlerAsyncHookHandler>()

    const http2App = fastify({ http2: true, https: {} })
    http2App.register(rateLimit, { max: 3 })
    http2App.get('/', { preHandler: http2App.rateLimit({ max: 4 }) }, async () => 'hello')
    http2App.setNotFoundHandler({ preHandler: http2App.rateLimit() }, (_request, reply) => { reply.code(404).send() })
    expect(http2App.rateLimit()).type.toBeAssignableTo<preHandlerAsyncHookHandler<Http2SecureServer, Http2ServerRequest, Http2ServerResponse>>()

    const logger = {} as FastifyBaseLogger & { readonly audit: (text: string) => void }
    const loggerApp = fastify({ loggerInstance: logger }).withTypeProvider()
    loggerApp.register(rateLimit, { max: 3 })
    loggerApp.route({ method: 'GET', url: '/', preHandler: loggerApp.rateLimit({}), handler: (request) => { request.log.audit('hello') } })

    interface Search { Querystring: { readonly text: string } }
    app.get<Search>('/search', { preHandler: app.rateLimit<Search>() }, async (request) => request.query.text)
  })

  test('createRateLimit takes the request of any server and logger', () => {
    const http2App = fastify({ http2: true, https: {} })
    const check = http2App.createRateLimit()
    http2App.get('/', async (request) => (await check(request)).isAllowed)
    expect(check).type.not.toBeCallableWith({})
  })

  test('createRateLimit makes a limiter', async () => {
    const options: CreateRateLimitOptions = { store: CustomStore, skipOnError: true, max: 0, timeWindow: 5000, allowList: ['127.0.0.1'], keyGenerator: (req) => req.ip, ban: 10 }
    const check = app.createRateLimit(options)
    const answer = await check({} as FastifyRequest, { increment: false })
    if (answer.isAllowed) {
      expect(answer).type.toBe<{ isAllowed: true, key: string }>()
    } else {
      expect(answer.isExceeded).type.toBe<boolean>()
      expect(answer.ttlInSeconds).type.toBe<number>()
    }
    expect(app.createRateLimit()).type.toBe<typeof check>()
  })
})

test('a store is one with incr and child', () => {
  expect<FastifyRateLimitStoreCtor>().type.toBeAssignableFrom<typeof CustomStore>()
  expect<FastifyRateLimitStore>().type.not.toBeAssignableFrom<{ incr: () => void }>()
})

describe('as in the original', () => {
  test('the plugin is a namespace of the types', () => {
    expect<rateLimit.RateLimitOptions>().type.toBe<RateLimitOptions>()
    expect<rateLimit.RateLimitPluginOptions>().type.toBe<RateLimitPluginOptions>()
    expect<rateLimit.CreateRateLimitOptions>().type.toBe<CreateRateLimitOptions>()
    expect<rateLimit.FastifyRateLimitOptions>().type.toBe<FastifyRateLimitOptions>()
    expect<rateLimit.FastifyRateLimitStore>().type.toBe<FastifyRateLimitStore>()
    expect<rateLimit.FastifyRateLimitStoreCtor>().type.toBe<FastifyRateLimitStoreCtor>()
    expect<rateLimit.RateLimitHook>().type.toBe<RateLimitHook>()
    expect<rateLimit.errorResponseBuilderContext>().type.toBe<errorResponseBuilderContext>()
    expect(rateLimit.normalizeIP('::1')).type.toBe<string>()
    expect(rateLimit.fastifyRateLimit).type.toBe(rateLimit.default)
  })

  test('an application extends the types', () => {
    expect<CreateRateLimitOptions['audience']>().type.toBe<'staff' | 'all' | undefined>()
    expect<RateLimitOptions['audience']>().type.toBe<'staff' | 'all' | undefined>()
    expect<RateLimitPluginOptions['audience']>().type.toBe<'staff' | 'all' | undefined>()
    app.get('/audience', { config: { rateLimit: { audience: 'staff' } }, preHandler: app.rateLimit({ audience: 'all' }) }, async () => 'hello')
    expect(app.rateLimit).type.not.toBeCallableWith({ audience: 'none' })
    expect(app.createRateLimit).type.toBeCallableWith({ audience: 'all' })
    expect<ConstructorParameters<FastifyRateLimitStoreCtor>[0]>().type.toBe<{ table?: string }>()
    expect<Parameters<NonNullable<RateLimitOptions['errorResponseBuilder']>>[1]['trace']>().type.toBe<string | undefined>()
    expect<ReturnType<FastifyRateLimitStore['child']>['close']>().type.toBe<(() => void) | undefined>()
  })

  test('a store gets the options of the route', () => {
    expect<Parameters<FastifyRateLimitStore['child']>>().type.toBe<[routeOptions: RouteOptions & { path: string, prefix: string }]>()
    expect<FastifyRateLimitStore['child']>().type.toBeAssignableFrom((route: { url: string, path: string }) => new CustomStore({ table: route.path + route.url }))
  })

  test('redis is of any type', () => {
    const options: RateLimitPluginOptions = { redis: { quit () {} } }
    options.redis.quit()
  })
})
