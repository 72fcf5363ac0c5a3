// Applications test with ioredis-mock. Each with the same requests into both plugins, each with a mock of its own.
import { createRequire } from 'node:module'
import t from 'tap'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { rateLimitPlugin } from '../../lib/index.js'
import { createCompatSide, createOriginalSide, createRouteConfig, getDecorators, repeatStep, type Options, type Step, type TestCase } from './side-by-side.js'

interface MockClient {
  keys (pattern: string): Promise<string[]>
  flushall (): Promise<unknown>
  eval: (...args: readonly unknown[]) => Promise<unknown>
}

/** Not imported: its types are for ioredis 5. */
const Mock: (new (port?: number) => MockClient) & { readonly Cluster: new (nodes: readonly string[]) => MockClient } =
  createRequire(import.meta.url)('ioredis-mock')

/** Mocks of one port share their data. */
let port = 20_000
const createMock = () => new Mock(port++)

const own = (config: unknown) => (app: FastifyInstance) => { app.get('/own', createRouteConfig(config), async () => 'own') }
const by = (key: string) => ({ url: '/', headers: { key } })
const header = ({ headers }: FastifyRequest) => String(headers.key)

type Row = readonly [title: string, testCase: TestCase & { readonly options: Options }, steps: readonly Step[], statuses: readonly number[]]

const HOURS = '100 hours'
const rows: readonly Row[] = [
  ['a count', { options: { max: 2, timeWindow: HOURS } }, repeatStep(4, '/'), [200, 200, 429, 429]],
  ['a route\'s own', { options: { max: 1, timeWindow: HOURS }, routes: own({ max: 2 }) }, ['/', '/own', '/own', '/own', '/'], [200, 200, 200, 429, 429]],
  ['a ban', { options: { max: 1, ban: 1, timeWindow: HOURS } }, repeatStep(4, '/'), [200, 429, 403, 403]],
  ['continueExceeding', { options: { max: 1, timeWindow: HOURS, continueExceeding: true } }, repeatStep(3, '/'), [200, 429, 429]],
  ['exponentialBackoff', { options: { max: 1, timeWindow: HOURS, exponentialBackoff: true } }, repeatStep(5, '/'), [200, 429, 429, 429, 429]],
  ['both', { options: { max: 1, timeWindow: HOURS, continueExceeding: true, exponentialBackoff: true } }, repeatStep(4, '/'), [200, 429, 429, 429]],
  ['a route that continues', { options: { max: 1, timeWindow: HOURS }, routes: own({ continueExceeding: true, ban: 1 }) }, repeatStep(4, '/own'), [200, 429, 403, 403]],
  ['keys', { options: { max: 1, timeWindow: HOURS, keyGenerator: header, nameSpace: 'app-' } }, [by('a'), by('b'), by('a')], [200, 200, 429]],
  ['a window by a function', { options: { max: 1, timeWindow: () => 3_600_000 } }, repeatStep(2, '/'), [200, 429]],
  ...[2, 0, -1].map((max): Row => [`max by a function: ${max}`, { options: { max: () => max, timeWindow: HOURS } }, repeatStep(3, '/'),
    [0, 1, 2].map((count) => count < max ? 200 : 429)])
]

/** Windows are long, so that whole minutes are the same however slow the machine. */
function roughly (headers: Readonly<Record<string, unknown>>) {
  const minutes = (name: string) => Math.ceil(Number(headers[name]) / 60)
  return [headers['x-ratelimit-limit'], headers['x-ratelimit-remaining'], minutes('x-ratelimit-reset'), minutes('retry-after')]
}

for (const [title, testCase, steps, statuses] of rows) {
  t.test(`ioredis-mock: ${title}`, async (t) => {
    const [there, here] = [createMock(), createMock()]
    const withMock = (redis: MockClient): TestCase => ({ ...testCase, options: { ...testCase.options, redis } })
    const expected = await (await createOriginalSide(t, withMock(there))).run(...steps)
    const found = await (await createCompatSide(t, withMock(here))).run(...steps)
    t.strictSame(found.map(({ status, headers, body }) => [status, roughly(headers), body]), expected.map(({ status, headers, body }) => [status, roughly(headers), body]))
    t.strictSame(expected.map(({ status }) => status), statuses)
    t.strictSame(await here.keys('*'), await there.keys('*'), 'a test of an application may look for its keys')
  })
}

t.test('a flush between the tests of an application starts a new count', async (t) => {
  const redis = createMock()
  const { run } = await createCompatSide(t, { options: { max: 1, timeWindow: HOURS, redis } })
  const statuses = (await run('/', '/')).map(({ status }) => status)
  await redis.flushall()
  t.strictSame([...statuses, ...(await run('/', '/')).map(({ status }) => status)], [200, 429, 200, 429])
})

t.test('a max beyond all numbers of Lua limits nothing', async (t) => {
  const { run } = await createCompatSide(t, { options: { max: () => Infinity, timeWindow: HOURS, redis: createMock() } })
  t.strictSame((await run('/', '/')).map(({ status }) => status), [200, 200])
})

t.test('instances with one mock count together, limiters in code apart, and a look counts nothing', async (t) => {
  const testCase = {
    options: { max: 2, timeWindow: HOURS, redis: createMock() },
    routes (app: FastifyInstance) {
      const [a, b] = [getDecorators(app).createRateLimit({ max: 5 }), getDecorators(app).createRateLimit({ max: 3 })]
      app.get('/both', createRouteConfig(false), async (request) =>
        [(await a(request, { increment: false })).remaining, (await a(request)).remaining, (await b(request)).remaining])
    }
  }
  const [first, second] = [await createCompatSide(t, testCase), await createCompatSide(t, testCase)]
  t.strictSame([...await first.run('/'), ...await second.run('/'), ...await first.run('/')].map(({ status }) => status), [200, 200, 429])
  t.equal((await first.run('/both'))[0].body, '[5,4,2]')
  t.equal((await second.run('/both'))[0].body, '[4,3,1]')
})

t.test('a mock of a Cluster', async (t) => {
  const { run } = await createCompatSide(t, { options: { max: 1, timeWindow: HOURS, redis: new Mock.Cluster(['redis://localhost:21000']) } })
  t.strictSame((await run('/', '/')).map(({ status }) => status), [200, 429])
})

t.test('a mock that fails is handled as a store that fails', async (t) => {
  for (const [skipOnError, statuses] of [[undefined, [503, 503]], [true, [200, 200]]] as const) {
    const redis = createMock()
    redis.eval = () => Promise.reject(new Error('Connection is closed.'))
    const { run } = await createCompatSide(t, { options: { max: 1, skipOnError, redis } })
    t.strictSame((await run('/', '/')).map(({ status }) => status), statuses)
  }
})

t.test('an option that does not start with Redis does not start with the mock', async (t) => {
  const side = createCompatSide(t, { options: { redis: createMock() }, routes: own({ maximum: 3 }) })
  await t.rejects(side, { code: 'FST_SLUICE_UNKNOWN_OPTION' })
})

t.test('the plugin itself names the mock, and what to do', async (t) => {
  const app = (await import('fastify')).default()
  await t.rejects(Promise.resolve(app.register(rateLimitPlugin, { max: 2, redis: createMock() as never })), {
    code: 'FST_SLUICE_BAD_OPTION', message: /got a client of ioredis-mock, which cannot run the scripts; leave it out in tests, to count in memory/
  })
})
