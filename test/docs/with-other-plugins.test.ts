// docs/with-other-plugins.md: each block beside the real plugin, and what the page states about it, also for the other order.
import { execFileSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import 'reflect-metadata'
import awsLambdaFastify from '@fastify/aws-lambda'
import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import proxy from '@fastify/http-proxy'
import redis from '@fastify/redis'
import session from '@fastify/session'
import underPressure from '@fastify/under-pressure'
import * as nestCommon from '@nestjs/common'
import * as nestCore from '@nestjs/core'
import * as nestFastify from '@nestjs/platform-fastify'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { initTRPC } from '@trpc/server'
import { fastifyTRPCPlugin } from '@trpc/server/adapters/fastify'
import { build } from 'esbuild'
import Fastify, { type FastifyInstance, type InjectOptions } from 'fastify'
import metrics from 'fastify-metrics'
import type { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { limiterClientOptions, rateLimitPlugin, type RateLimitOptions } from '../../lib/index.js'
import { ManualClock } from '../../lib/testing/index.js'
import { statuses } from '../fixtures/app.js'
import { shareRedis } from '../fixtures/redis-server.js'
import { createSnippetApp, parseSnippets, readPage, run, type SnippetScope } from './snippets.js'

const page = readPage('docs/with-other-plugins.md')
const ORIGIN = 'https://app.example.com'
const LIMIT: RateLimitOptions = { max: 2, timeWindow: '1 minute' }

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

async function pageApp (t: Test, heading: string, given: SnippetScope = {}): Promise<FastifyInstance> {
  RUN.add(heading)
  return await createSnippetApp(t, page, heading, given)
}

/** An application whose plugins are registered in the order that the page advises against. */
async function wrongOrder (t: Test, register: (app: FastifyInstance) => unknown, options: RateLimitOptions = {}): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { ...LIMIT, ...options })
  await register(app)
  app.get('/', async (request) => request.rateLimit?.client.partition)
  return app
}

async function last (app: FastifyInstance, times: number, request: InjectOptions | string = '/') {
  await statuses(app, times - 1, request)
  return await app.inject(request)
}

t.test('helmet: a refusal has its headers, in the other order not', async (t) => {
  const app = await pageApp(t, '@fastify/helmet', { helmet })
  const allowed = await app.inject('/')
  const refused = await last(app, 100)
  t.equal(refused.statusCode, 429)
  const names = Object.keys(allowed.headers).filter((name) => !['content-length', 'content-type', 'date'].includes(name))
  t.ok(names.includes('content-security-policy') && names.includes('x-ratelimit-limit'))
  for (const name of names) t.hasProp(refused.headers, name)
  t.match(refused.headers, { 'content-type': /^application\/problem\+json/, 'cache-control': 'no-store' })
  const other = await wrongOrder(t, (app) => app.register(helmet))
  t.notOk('content-security-policy' in (await last(other, 3)).headers)
})

const preflight: InjectOptions = { method: 'OPTIONS', url: '/', headers: { origin: ORIGIN, 'access-control-request-method': 'GET' } }

t.test('cors: preflights are not counted and refusals are readable, in the other order not', async (t) => {
  const app = await pageApp(t, '@fastify/cors', { cors })
  t.match(await statuses(app, 101, preflight), Array.from({ length: 101 }, () => 204))
  const refused = await last(app, 101, { url: '/', headers: { origin: ORIGIN } })
  t.equal(refused.statusCode, 429)
  t.match(refused.headers, { 'access-control-allow-origin': ORIGIN, 'access-control-expose-headers': /Retry-After/ })
  const other = await wrongOrder(t, (app) => app.register(cors, { origin: ORIGIN }))
  t.strictSame(await statuses(other, 3, preflight), [204, 204, 429])
  t.notOk('access-control-allow-origin' in (await other.inject({ url: '/', headers: { origin: ORIGIN } })).headers)
})

const SECRET = 'a secret of at least thirty-two characters'

async function logIn (app: FastifyInstance): Promise<InjectOptions> {
  const { headers } = await app.inject({ method: 'POST', url: '/login' })
  return { url: '/', headers: { cookie: String(headers['set-cookie']).split(';')[0] } }
}

t.test('sessions: users are counted by them, in the other order by address', async (t) => {
  const app = await pageApp(t, 'Sessions', { cookie, session, process: { env: { SESSION_SECRET: SECRET } } })
  const ann = await logIn(app)
  t.equal((await app.inject(ann)).body, 'user:ann')
  t.match((await app.inject('/')).body, /^(?:ip:)?127\.0\.0\.1$/)
  const other = await wrongOrder(t, async (app) => {
    await app.register(cookie)
    await app.register(session, { secret: SECRET, cookie: { secure: false } })
    app.post('/login', async (request) => { Object.assign(request.session, { user: 'ann' }) })
  }, { identify: { custom: (request) => 'user' in (request.session ?? {}) ? { id: 'ann' } : null } })
  t.match((await other.inject(await logIn(other))).body, /^(?:ip:)?127\.0\.0\.1$/)
})

t.test('sessions: one is loaded for a refused request too', async (t) => {
  let loads = 0
  const saved = new Map<string, object>()
  const store = {
    get: (id: string, done: (error: unknown, result?: object | null) => void) => { loads++; done(null, saved.get(id) ?? null) },
    set: (id: string, value: object, done: (error?: unknown) => void) => { saved.set(id, value); done() },
    destroy: (id: string, done: (error?: unknown) => void) => { saved.delete(id); done() }
  }
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cookie)
  await app.register(session, { secret: SECRET, cookie: { secure: false }, store: store as never })
  await app.register(rateLimitPlugin, { max: 1, timeWindow: '1 minute' })
  app.post('/login', async (request) => { Object.assign(request.session, { user: 'ann' }) })
  app.get('/', async () => 'hello')
  const ann = await logIn(app)
  loads = 0
  t.strictSame(await statuses(app, 3, ann), [429, 429, 429])
  t.equal(loads, 3)
})

t.test('under-pressure: what it refuses is not counted, in the other order it is', async (t) => {
  let healthy = false
  const app = await pageApp(t, '@fastify/under-pressure', { underPressure, isHealthy: async () => healthy })
  const refused = await last(app, 101)
  t.equal(refused.statusCode, 503)
  t.notOk('x-ratelimit-limit' in refused.headers)
  const other = await wrongOrder(t, (app) => app.register(underPressure, { healthCheck: async () => false, healthCheckInterval: 60_000 }))
  t.strictSame(await statuses(other, 3), [503, 503, 429])
  healthy = true
})

t.test('under-pressure: its status route may be taken out of the limits', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, LIMIT)
  await app.register(underPressure, { exposeStatusRoute: { url: '/alive', routeOpts: { config: { rateLimit: false } } as never } })
  t.strictSame(await statuses(app, 4, '/alive'), [200, 200, 200, 200])
})

/** An upstream with limits of its own, and how many requests reached it. */
async function startUpstream (t: Test) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { name: 'upstream', max: 7, timeWindow: '1 minute' })
  const seen = { requests: 0 }
  app.get('/', async () => { seen.requests++; return 'upstream' })
  return { upstream: await app.listen({ port: 0, host: '127.0.0.1' }), seen }
}

t.test('http-proxy: the headers of the upstream win, unless they are left out', async (t) => {
  const { upstream, seen } = await startUpstream(t)
  const app = await pageApp(t, '@fastify/http-proxy', { proxy, upstream })
  const allowed = await app.inject('/api/')
  t.match(allowed, { statusCode: 200, body: 'upstream', headers: { 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '1' } })
  t.match(await last(app, 2, '/api/'), { statusCode: 429, headers: { 'x-ratelimit-limit': '2', 'retry-after': '30' } })
  t.equal(seen.requests, 2, 'a refusal does not reach it')
  const plain = Fastify()
  t.teardown(() => plain.close())
  await plain.register(rateLimitPlugin, LIMIT)
  await plain.register(proxy, { upstream, prefix: '/api' })
  t.match((await plain.inject('/api/')).headers, { 'x-ratelimit-limit': '7' })
  t.match((await last(plain, 2, '/api/')).headers, { 'x-ratelimit-limit': '2' })
})

t.test('http-proxy and tRPC: limits hold in either order', async (t) => {
  const { upstream } = await startUpstream(t)
  const { procedure, router } = initTRPC.create()
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(proxy, { upstream, prefix: '/api' })
  await app.register(fastifyTRPCPlugin, { prefix: '/trpc', trpcOptions: { router: router({ a: procedure.query(() => 1) }) } })
  await app.register(rateLimitPlugin, LIMIT)
  t.strictSame([...await statuses(app, 1, '/api/'), ...await statuses(app, 2, '/trpc/a')], [200, 200, 429])
  t.strictSame(await statuses(app, 1, '/api/'), [429])
})

t.test('http-proxy: its routes take limits by config', async (t) => {
  const { upstream } = await startUpstream(t)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { ...LIMIT, global: false })
  await app.register(proxy, { upstream, prefix: '/api', config: { rateLimit: { max: 1, timeWindow: '1 minute' } } })
  t.strictSame(await statuses(app, 2, '/api/'), [200, 429])
})

t.test('fastify-metrics: one registry, two paths', async (t) => {
  const app = await pageApp(t, 'fastify-metrics', { metrics })
  t.strictSame(await statuses(app, 3), [200, 200, 429])
  for (const url of ['/metrics', '/metrics/rate-limit']) {
    const { statusCode, body } = await app.inject(url)
    t.equal(statusCode, 200)
    t.match(body, 'rate_limit_requests_total{route="/",tier="anonymous",outcome="rejected"} 1')
    t.match(body, /http_request_duration_seconds_count\{.*status_code="429"\} 1/)
  }
  t.equal((await app.inject({ url: '/metrics', remoteAddress: '203.0.113.1' })).statusCode, 200)
  t.equal((await app.inject({ url: '/metrics/rate-limit', remoteAddress: '203.0.113.2' })).statusCode, 404)
})

t.test('fastify-metrics: two plugins cannot have one path', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(metrics as never, { endpoint: '/metrics', clearRegisterOnInit: true } as never)
  await t.rejects(Promise.resolve(app.register(rateLimitPlugin, { ...LIMIT, metrics: { path: '/metrics' } })), { code: 'FST_SLUICE_ROUTE_TAKEN' })
})

t.test('@fastify/redis: its client is used, and closed by it alone', async (t) => {
  const { url } = await shareRedis()
  const app = await pageApp(t, '@fastify/redis', { redis, limiterClientOptions, process: { env: { REDIS_URL: url } } })
  t.strictSame(await statuses(app, 3), [200, 200, 429])
  const client: Redis = Reflect.get(app, 'redis')
  const ended = once(client, 'end')
  t.equal(client.status, 'ready')
  await app.close()
  await ended
  const named = Fastify()
  t.teardown(() => named.close())
  await named.register(redis, { url, namespace: 'limits', ...limiterClientOptions() })
  await named.register(rateLimitPlugin, { ...LIMIT, name: 'named', failureMode: 'closed', deadline: 5000, redis: Reflect.get(Reflect.get(named, 'redis'), 'limits') })
  named.get('/', async () => 'hello')
  t.strictSame(await statuses(named, 3), [200, 200, 429])
})

t.test('OpenTelemetry: a decision belongs to the span of its request, also when it is held', async (t) => {
  RUN.add('OpenTelemetry')
  const exporter = new InMemorySpanExporter()
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const listeners: Array<(message: unknown, name: string | symbol) => void> = []
  t.teardown(() => { for (const listener of listeners) unsubscribe('fastify-sluice:decision', listener) })
  const [{ code }] = parseSnippets(page).filter(({ heading }) => heading === 'OpenTelemetry')
  await run(code, undefined, { trace, subscribe: (name: string, listener: (typeof listeners)[number]) => { listeners.push(listener); subscribe(name, listener) } })
  const clock = new ManualClock()
  const tracer = trace.getTracer('test')
  const startSpans = (app: FastifyInstance) => app.addHook('onRequest', (request, reply, done) => {
    const span = tracer.startSpan(request.url)
    reply.raw.on('close', () => { span.end() })
    context.with(trace.setSpan(context.active(), span), done)
  })
  const app = Fastify()
  t.teardown(() => app.close())
  startSpans(app)
  await app.register(rateLimitPlugin, { max: 1, timeWindow: '1 minute', throttle: { maxDelay: '1 hour' }, clock })
  app.get('/:n', async () => { trace.getActiveSpan()?.setAttribute('handled', true) })
  await app.ready()
  const answers = ['/1', '/2', '/3'].map((url) => app.inject(url))
  await clock.advance('2 minutes')
  await Promise.all(answers)
  const spans = exporter.getFinishedSpans().map(({ name, attributes }) => [name, attributes['rate_limit.outcome'], attributes.handled])
  t.strictSame(spans.sort(), [['/1', 'allowed', true], ['/2', 'delayed', true], ['/3', 'delayed', true]])

  exporter.reset()
  const other = await wrongOrder(t, startSpans)
  await other.inject('/')
  t.strictSame(exporter.getFinishedSpans().map(({ attributes }) => attributes), [{}])
})

const lambdaEvent = (sourceIp: string) => ({
  version: '2.0', rawPath: '/', rawQueryString: '', headers: { 'x-forwarded-for': '198.51.100.9' }, requestContext: { http: { method: 'GET', path: '/', sourceIp } }
})

t.test('aws-lambda: a client is its source address, whatever its headers say', async (t) => {
  RUN.add('@fastify/aws-lambda')
  const [{ code }] = parseSnippets(page).filter(({ heading }) => heading === '@fastify/aws-lambda')
  let handler: ReturnType<typeof awsLambdaFastify> | undefined
  const app = Fastify()
  t.teardown(() => app.close())
  await run(code, app, { awsLambdaFastify: (app: FastifyInstance) => { handler = awsLambdaFastify(app); return handler } })
  const call = async (ip: string) => {
    const answer: unknown = await Reflect.apply(handler ?? t.fail, undefined, [lambdaEvent(ip), {}])
    return typeof answer === 'object' && answer !== null && 'statusCode' in answer ? answer.statusCode : answer
  }
  t.strictSame([await call('203.0.113.1'), await call('203.0.113.1'), await call('203.0.113.1'), await call('203.0.113.2')], [200, 200, 429, 200])
})

t.test('tRPC: a batch costs what it calls', async (t) => {
  const { procedure, router } = initTRPC.create()
  const app = await pageApp(t, 'tRPC', { fastifyTRPCPlugin, router: router({ a: procedure.query(() => 1), b: procedure.query(() => 2), c: procedure.mutation(() => 3) }) })
  const call = async (path: string, method: 'GET' | 'POST' = 'GET') => {
    const { statusCode, headers } = await app.inject({ method, url: `/trpc/${path}?batch=1${method === 'GET' ? '&input={}' : ''}`, ...(method === 'POST' ? { payload: {} } : {}) })
    return [statusCode, headers['x-ratelimit-remaining']]
  }
  t.strictSame(await call('a,b'), [200, '3'])
  t.strictSame(await call('c', 'POST'), [200, '2'])
  t.strictSame(await call('a%2Cb,a'), [429, '2'])
  t.strictSame(await call('a%2Cb'), [200, '0'])
  const tooLarge = await app.inject('/trpc/a,a,a,a,a,a?batch=1&input={}')
  t.equal(tooLarge.statusCode, 429)
  t.notOk('retry-after' in tooLarge.headers)
  t.match(tooLarge.headers, { 'content-type': /^application\/problem\+json/ })
})

/** Runs the block of NestJS, which is TypeScript with the decorators of its compiler option. */
async function createNestApp (t: Test, change: (code: string) => string = (code) => code) {
  const [, source] = /^```ts nestjs\n([^]*?)^```$/m.exec(page) ?? []
  const { outputText } = ts.transpileModule(change(source), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, experimentalDecorators: true, useDefineForClassFields: false }
  })
  let guarded = 0
  const names: Record<string, unknown> = {
    ...nestCommon, ...nestCore, ...nestFastify, rateLimitPlugin, count: () => { guarded++; return true }
  }
  const code = outputText.replace(/^import .*$/gm, '').replace(/^export \{\};?$/gm, '').replace('new FastifyAdapter())', 'new FastifyAdapter(), { logger: false })').replace('app.listen(3000)', 'app.init()')
  // eslint-disable-next-line no-new-func
  const app = await new Function(...Object.keys(names), `return (async () => { ${code}\nreturn app })()`)(...Object.values(names)) as nestFastify.NestFastifyApplication
  t.teardown(() => app.close())
  await app.getHttpAdapter().getInstance().ready()
  const seen = async (url: string) => {
    const { statusCode, headers, body } = await app.inject(url)
    return [statusCode, headers['x-ratelimit-limit'], body]
  }
  return { seen, guarded: () => guarded }
}

t.test('NestJS: a module, limits by a decorator, refusals through a filter', async (t) => {
  const { seen } = await createNestApp(t)
  t.strictSame(await seen('/cats'), [200, '2', '["cat"]'])
  t.strictSame(await seen('/cats'), [200, '2', '["cat"]'])
  t.match(await seen('/cats'), [429, '2', /^\{"message":"Too many requests","retryAfterMs":\d+\}$/])
  t.strictSame(await seen('/login'), [200, '1', 'welcome'])
  t.match(await seen('/login'), [429, '1', /^\{"message":"Too many requests","retryAfterMs":\d+\}$/])
  t.match(await seen('/nope'), [429, '2'])
})

t.test('NestJS: without a builder, problem JSON that no filter sees; and guards run after the limit', async (t) => {
  const { seen, guarded } = await createNestApp(t, (code) => code.replace(/,\n *errorResponseBuilder.*$/m, '').replace('app.useGlobalFilters', 'app.useGlobalGuards({ canActivate: () => count() })\napp.useGlobalFilters'))
  await seen('/cats')
  await seen('/cats')
  t.equal(guarded(), 2)
  t.match(await seen('/cats'), [429, '2', /"title":"Quota Exceeded"/])
  t.equal(guarded(), 2)
})

t.test('MCP: each agent and tool has its own limit, refused in JSON-RPC', async (t) => {
  const app = await pageApp(t, 'MCP servers')
  const call = async (agent: string, name: string) => await app.inject({
    method: 'POST', url: '/mcp', headers: { authorization: agent }, payload: { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name } }
  })
  const codes = async (agent: string, name: string, times: number) => {
    const found: number[] = []
    for (let i = 0; i < times; i++) found.push((await call(agent, name)).statusCode)
    return found
  }
  t.strictSame(await codes('a', 'search', 3), [200, 200, 429])
  t.strictSame(await codes('a', 'export', 2), [200, 429])
  t.strictSame(await codes('b', 'search', 1), [200])
  const refused = await call('a', 'export')
  t.match(refused.headers, { 'retry-after': /^\d+$/, 'content-type': /^application\/json/ })
  t.match(refused.json(), { jsonrpc: '2.0', id: 7, error: { code: -32000, data: { retryAfterMs: Number } } })
  const list: InjectOptions = { method: 'POST', url: '/mcp', headers: { authorization: 'a' }, payload: { jsonrpc: '2.0', id: 8, method: 'tools/list' } }
  t.strictSame((await statuses(app, 11, list)).slice(-2), [200, 429])
  t.strictSame(await statuses(app, 2, { ...list, headers: { authorization: 'new' } }), [200, 200], 'a new name is a new partition')
})

t.test('bundlers: an application in one file', async (t) => {
  RUN.add('Bundlers')
  const folder = join('.compiled', 'bundled')
  mkdirSync(folder, { recursive: true })
  t.teardown(() => { rmSync(folder, { recursive: true }) })
  const entryPoint = join(folder, 'app.mjs')
  writeFileSync(entryPoint, `
    import Fastify from 'fastify'
    import { rateLimitPlugin } from ${JSON.stringify(pathToFileURL(join(process.cwd(), 'dist/index.js')).pathname)}
    async function main () {
      const app = Fastify()
      await app.register(rateLimitPlugin, { max: 1, timeWindow: '1 minute' })
      app.get('/', async () => 'hello')
      console.log((await app.inject('/')).statusCode, (await app.inject('/')).statusCode)
      await app.close()
    }
    main()
  `)
  const snippets = parseSnippets(page).filter(({ heading }) => heading === 'Bundlers')
  t.equal(snippets.length, 2)
  for (const [index, { code }] of snippets.entries()) {
    const outfile = join(folder, `bundle.${index === 0 ? 'cjs' : 'mjs'}`)
    await run(code, undefined, { build: (options: object) => build({ ...options, logLevel: 'silent' }), entryPoint, outfile })
    t.ok(readFileSync(outfile).length > 0)
    t.equal(execFileSync(process.execPath, ['--no-warnings', outfile], { encoding: 'utf8' }), '200 429\n')
  }
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
