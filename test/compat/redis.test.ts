// The Redis store of both plugins, on one server.
import t, { type Test } from 'tap'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fastify from 'fastify'
import { Redis } from 'ioredis'
import { buildFastifyRateLimit, nativeTuning } from '../../lib/compat/build.js'
import { buildRateLimitPlugin } from '../../lib/plugin/plugin.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { startRedis, type RedisServer } from '../fixtures/redis-server.js'
import { until } from '../fixtures/until.js'
import { createRouteConfig, getDecorators, createCompatSide, createOriginalSide, repeatStep, type TestCase, type ClientResponse, type Options, type Side, type Step } from './side-by-side.js'

/** A server, and a client of it. */
async function redisFor (t: Test): Promise<{ server: RedisServer, redis: Redis }> {
  const server = await startRedis(t)
  const redis = new Redis({ port: server.port, host: '127.0.0.1', maxRetriesPerRequest: 1 })
  redis.on('error', () => {})
  t.teardown(() => { redis.disconnect() })
  await redis.ping()
  return { server, redis }
}

/** Room for a slow machine: no test may depend on the time that a call takes. */
const patient = { deadline: 5000 }

function over (redis: Redis, { options, ...rest }: TestCase & { readonly options: Options }) {
  return {
    there: { ...rest, options: { ...options, redis } },
    here: { ...rest, options: { ...options, redis, ...patient } }
  }
}

/** Windows are long, so that whole seconds are the same however slow the machine: only the last can differ. */
function roughly (heard: readonly ClientResponse[]) {
  return heard.map(({ status, headers, body }) => ({
    status,
    limit: headers['x-ratelimit-limit'],
    remaining: headers['x-ratelimit-remaining'],
    // A window of hours is told in whole minutes.
    reset: Math.ceil(Number(headers['x-ratelimit-reset']) / 60),
    retryAfter: Math.ceil(Number(headers['retry-after']) / 60),
    body
  }))
}

async function sameOverRedis (t: Test, redis: Redis, one: TestCase & { readonly options: Options }, steps: readonly Step[]): Promise<number[]> {
  const { there, here } = over(redis, one)
  const expected = await (await createOriginalSide(t, there)).run(...steps)
  const found = await (await createCompatSide(t, here)).run(...steps)
  t.strictSame(roughly(found), roughly(expected))
  return expected.map(({ status }) => status)
}

const HOURS = '100 hours'

t.test('with a Redis that answers', async (t) => {
  const { redis } = await redisFor(t)
  const rows: ReadonlyArray<readonly [title: string, one: TestCase & { readonly options: Options }, steps: readonly Step[], statuses: readonly number[]]> = [
    ['the plugin\'s count', { options: { nameSpace: 'one-', max: 2, timeWindow: HOURS } }, repeatStep(4, '/'), [200, 200, 429, 429]],
    ['a route\'s own', { options: { nameSpace: 'two-', max: 1, timeWindow: HOURS }, routes (app) { app.get('/own', createRouteConfig({ max: 2 }), async () => 'own') } }, ['/', '/own', '/own', '/own', '/'], [200, 200, 200, 429, 429]],
    ['a ban', { options: { nameSpace: 'three-', max: 1, ban: 1, timeWindow: HOURS } }, repeatStep(4, '/'), [200, 429, 403, 403]],
    ['continueExceeding', { options: { nameSpace: 'four-', max: 1, timeWindow: HOURS, continueExceeding: true } }, repeatStep(3, '/'), [200, 429, 429]],
    ['exponentialBackoff', { options: { nameSpace: 'five-', max: 1, timeWindow: '20 minutes', exponentialBackoff: true } }, repeatStep(6, '/'), [200, 429, 429, 429, 429, 429]],
    ['exponentialBackoff outlives the window', { options: { nameSpace: 'six-', max: 1, timeWindow: '30s', exponentialBackoff: true } }, repeatStep(5, '/'), [200, 429, 429, 429, 429]]
  ]
  for (const [title, one, steps, statuses] of rows) {
    t.strictSame(await sameOverRedis(t, redis, one, steps), statuses, title)
  }

  const keys = await redis.keys('*')
  t.ok(keys.some((key) => key.startsWith('one-')), 'nameSpace begins the keys')
  for (const key of keys) t.ok(await redis.pttl(key) > 0, `${key} ends by itself`)
})

t.test('the name space is that of the original when none is given, and two instances count together', async (t) => {
  const { redis } = await redisFor(t)
  const { here } = over(redis, { options: { max: 2, timeWindow: HOURS } })
  const [first, second] = [await createCompatSide(t, here), await createCompatSide(t, here)]
  t.strictSame([...await first.run('/'), ...await second.run('/'), ...await first.run('/')].map(({ status }) => status), [200, 200, 429])
  t.ok((await redis.keys('*')).every((key) => key.startsWith('fastify-rate-limit-')))
})

t.test('any name space begins the keys, and separates them', async (t) => {
  const { redis } = await redisFor(t)
  for (const [nameSpace, start] of [['{rl}:public:', 'rl:public:#'], ['my app ', 'myapp#'], ['n'.repeat(65), `${'n'.repeat(20)}#`], [`${'n'.repeat(65)}2`, `${'n'.repeat(20)}#`]] as const) {
    const { here } = over(redis, { options: { max: 2, timeWindow: HOURS, nameSpace } })
    await redis.flushall()
    const [first, second] = [await createCompatSide(t, here), await createCompatSide(t, here)]
    t.strictSame([...await first.run('/'), ...await second.run('/'), ...await first.run('/')].map(({ status }) => status), [200, 200, 429])
    t.ok((await redis.keys('*')).every((key) => key.startsWith(start)), start)
  }
})

t.test('a countdown over Redis refuses, and a max by a function has one count', async (t) => {
  const { redis } = await redisFor(t)
  let leftMs = 3_600_000
  const { here } = over(redis, { options: { max: ({ headers }: FastifyRequest) => Number(headers.key), timeWindow: () => --leftMs } })
  const by = (key: string) => ({ url: '/', headers: { key } })
  t.strictSame((await (await createCompatSide(t, here)).run(by('1'), by('2'), by('2'), by('9'))).map(({ status }) => status), [200, 200, 429, 200])
})

t.test('scopes with one client, one name space and equal limits count together, others apart', async (t) => {
  const { redis } = await redisFor(t)
  const other = redis.duplicate({ db: 1 })
  t.teardown(() => { other.disconnect() })
  const rows = [
    ['the same', {}, [200, 200, 429, 429]],
    ['another max', { max: 3 }, [200, 200, 200, 200]],
    ['another name space', { nameSpace: 'other-' }, [200, 200, 200, 200]],
    ['another database', { redis: other }, [200, 200, 200, 200]]
  ] as const
  for (const [title, options, statuses] of rows) {
    await redis.flushall()
    const clock = new ManualClock()
    const compat = buildFastifyRateLimit(buildRateLimitPlugin(clock, {}, nativeTuning), clock)
    const app = fastify()
    t.teardown(() => app.close())
    for (const [prefix, own] of [['/a', {}], ['/b', options]] as const) {
      app.register(async (scope) => {
        await scope.register(compat as never, { redis, timeWindow: HOURS, max: 2, ...patient, ...own } as never)
        scope.get('/', async () => prefix)
        scope.get('/own', createRouteConfig({ max: 1 }), async () => prefix)
      }, { prefix })
    }
    const found = []
    for (const url of ['/a', '/b', '/b', '/a', '/a/own', '/b/own']) found.push((await app.inject(url)).statusCode)
    t.strictSame(found, [...statuses, 200, 200], title)
  }
})

t.test('after a flush the next request is the first of a new window', async (t) => {
  const { redis } = await redisFor(t)
  const limits: readonly Options[] = [{ max: 1 }, { max: 1, ban: 0 }, { max: 1, continueExceeding: true }, { max: 1, exponentialBackoff: true }, { max: () => 1 }]
  for (const options of limits) {
    const { there, here } = over(redis, { options: { timeWindow: HOURS, ...options } })
    const flush = async ({ run }: Side) => {
      await redis.flushall()
      const before = await run('/', '/', '/')
      await redis.flushall()
      return [...before, ...await run('/', '/')]
    }
    const expected = await flush(await createOriginalSide(t, there))
    t.strictSame(roughly(await flush(await createCompatSide(t, here))), roughly(expected))
    t.equal(expected[3].status, 200)
  }
})

t.test('limiters in code do not share a count', async (t) => {
  const { redis } = await redisFor(t)
  const one = {
    options: { timeWindow: HOURS },
    routes (app: FastifyInstance) {
      const [a, b] = [getDecorators(app).createRateLimit({ max: 5 }), getDecorators(app).createRateLimit({ max: 3 })]
      app.get('/both', createRouteConfig(false), async (request) => [(await a(request)).remaining, (await b(request)).remaining])
    }
  }
  const { there, here } = over(redis, one)
  t.equal((await (await createOriginalSide(t, there)).run('/both'))[0].body, '[4,1]')
  t.equal((await (await createCompatSide(t, here)).run('/both'))[0].body, '[4,2]')
})

t.test('limiters made on first use count together on all instances, whatever the order', async (t) => {
  const { redis } = await redisFor(t)
  const { here } = over(redis, {
    options: { timeWindow: HOURS },
    routes (app: FastifyInstance) {
      const limiters = new Map<string, ReturnType<ReturnType<typeof getDecorators>['createRateLimit']>>()
      for (const [name, max] of [['a', 5], ['b', 9]] as const) {
        app.get(`/${name}`, createRouteConfig(false), async (request) => {
          const limiter = limiters.get(name) ?? getDecorators(app).createRateLimit({ max })
          limiters.set(name, limiter)
          return (await limiter(request)).remaining
        })
      }
    }
  })
  const [first, second] = [await createCompatSide(t, here), await createCompatSide(t, here)]
  t.strictSame([...await first.run('/a', '/a', '/b'), ...await second.run('/b', '/a')].map(({ body }) => body), ['4', '3', '8', '7', '2'])
})

t.test('a window that is no whole number locks nobody out', async (t) => {
  const { redis } = await redisFor(t)
  const { there, here } = over(redis, { options: { max: 1, timeWindow: () => 3_600_000.5 } })
  t.strictSame((await (await createOriginalSide(t, there)).run('/', '/')).map(({ status }) => status), [500, 429])
  t.equal(await redis.pttl('fastify-rate-limit-127.0.0.1'), -1, 'for ever')
  t.strictSame((await (await createCompatSide(t, here)).run('/', '/')).map(({ status }) => status), [200, 429])
})

t.test('HEAD counts as GET, and routes that differ by their host count apart', async (t) => {
  const { redis } = await redisFor(t)
  const { here } = over(redis, {
    options: { timeWindow: HOURS },
    routes (app: FastifyInstance) {
      app.get('/own', { ...createRouteConfig({ max: 1 }), constraints: { host: 'a.example' } }, async () => 'a')
      app.get('/own', { ...createRouteConfig({ max: 1 }), constraints: { host: 'b.example' } }, async () => 'b')
    }
  })
  const to = (host: string, method: 'GET' | 'HEAD' = 'GET') => ({ method, url: '/own', headers: { host } })
  const { run } = await createCompatSide(t, here)
  t.strictSame((await run(to('a.example'), to('a.example', 'HEAD'), to('b.example'))).map(({ status }) => status), [200, 429, 200])
})

t.test('a Redis that hangs holds no request', async (t) => {
  const { server, redis } = await redisFor(t)
  const sides = await Promise.all([{}, { skipOnError: true }, { skipOnError: false }].map((options) =>
    createCompatSide(t, { options: { max: 1, timeWindow: HOURS, redis, ...options } })))
  server.signal('SIGSTOP')
  const heard = await Promise.all(sides.map(({ run }) => run('/', '/')))
  t.strictSame(heard.map((two) => two.map(({ status }) => status)), [[200, 429], [200, 200], [503, 503]], 'limits hold here, or nobody is limited, or nobody passes')
  t.equal(heard[1][0].headers['x-ratelimit-limit'], undefined)
  t.equal(JSON.parse(heard[2][0].body).message, 'Rate limits cannot be checked at present')
  server.signal('SIGCONT')
})

t.test('waits hold while Redis is away', async (t) => {
  const { server, redis } = await redisFor(t)
  const { run } = await createCompatSide(t, { options: { max: 1, timeWindow: HOURS, continueExceeding: true, redis } })
  await server.stop()
  await until('the client knows', 10_000, () => redis.status !== 'ready')
  t.strictSame((await run('/', '/', '/')).map(({ status }) => status), [200, 429, 429])
})
