// Inputs that applications use off the plain path: functions that return anything, keys of any type, large numbers. Each with
// the same requests into both plugins.
import fc from 'fast-check'
import t from 'tap'
import type { FastifyRequest } from 'fastify'
import { assertPropertyAsync } from '../fixtures/property.js'
import { assertSame, createCompatSide, createOriginalSide, createRouteConfig, getDecorators, repeatStep, type Options, type Step, type TestCase } from './side-by-side.js'

type Row = readonly [title: string, options: TestCase['options'], steps: readonly Step[], statuses: readonly number[]]

const by = (key: string) => ({ url: '/', headers: { key } })
const header = ({ headers }: FastifyRequest) => String(headers.key)

/** Records the type of what each callback receives. */
function withKeys (record: (call: string) => void, options: Options): Options {
  const recordKey = (name: string) => (_request: unknown, key: unknown) => { record(`${name} ${typeof key} ${String(key)}`) }
  return { onExceeding: recordKey('exceeding'), onExceeded: recordKey('exceeded'), onBanReach: recordKey('banned'), ...options }
}

const rows: readonly Row[] = [
  // Missing keys.
  ['an empty list by split, and no key', { max: 1, allowList: ''.split(','), keyGenerator: () => undefined }, repeatStep(3, '/'), [200, 429, 429]],
  ['a missing key is passed as it is', (record) => withKeys(record, { max: 1, keyGenerator: () => undefined }), repeatStep(2, '/'), [200, 429]],
  // Windows that a function computes.
  ['a countdown refuses', () => {
    let leftMs = 60_000
    return { max: 2, timeWindow: () => { leftMs -= 7; return leftMs } }
  }, repeatStep(5, '/'), [200, 200, 429, 429, 429]],
  ['a countdown by another for each client', () => {
    let leftMs = 60_000
    return { max: 1, keyGenerator: header, timeWindow: async () => { leftMs -= 7; return leftMs } }
  }, [by('a'), by('b'), by('a'), by('b')], [200, 200, 429, 429]],
  ['a window by a function ends', { max: 1, timeWindow: () => 1000 }, ['/', 999, '/', 1, '/', '/'], [200, 429, 200, 429]],
  ['ban with a window by a function', (record) => withKeys(record, { max: 1, ban: 1, timeWindow: () => 60_000 }), repeatStep(3, '/'), [200, 429, 403]],
  ['continueExceeding with a window by a function', { max: 1, timeWindow: () => 1000, continueExceeding: true }, ['/', 900, '/', 900, '/', 1000, '/'], [200, 429, 429, 200]],
  // Limits that a function computes.
  ...[Infinity, Number.MAX_SAFE_INTEGER, 5e9, 4_294_967_296, '7', 2.5].map((max): Row =>
    [`max by a function: ${max}`, { max: () => max }, repeatStep(2, '/'), [200, 200]]),
  ...[-1, 0, -Infinity].map((max): Row => [`max by a function refuses all: ${max}`, { max: () => max }, repeatStep(2, '/'), [429, 429]]),
  ...[1, '1', 1.9].map((max): Row => [`max by a function: ${typeof max} ${max}`, { max: () => max }, repeatStep(3, '/'), [200, 429, 429]]),
  ['a client with a large limit does not change that of others', { keyGenerator: header, max: (_request: unknown, key: string) => key === 'staff' ? Infinity : 2 },
    [by('a'), by('staff'), by('staff'), by('staff'), by('a'), by('a')], [200, 200, 200, 200, 200, 429]],
  ['a count stays when the limit changes', { max: ({ headers }: FastifyRequest) => Number(headers.key) }, [by('1'), by('2'), by('2'), by('1')], [200, 200, 429, 429]],
  // Large numbers.
  ...[Number.MAX_SAFE_INTEGER, 2 ** 40].map((max): Row => [`max: ${max}`, { max }, repeatStep(2, '/'), [200, 200]]),
  ['ban: 1e6', { max: 1, ban: 1e6 }, repeatStep(3, '/'), [200, 429, 429]],
  ...['100 days', '1 year', '17 years'].map((timeWindow): Row => [`ban with ${timeWindow}`, { max: 1, ban: 1, timeWindow }, repeatStep(4, '/'), [200, 429, 403, 403]]),
  ['ban with max: 0', { max: 0, ban: 1 }, repeatStep(3, '/'), [429, 403, 403]],
  ['ban: 1.5', { max: 1, ban: 1.5 }, repeatStep(4, '/'), [200, 429, 403, 403]],
  // Keys of other types.
  ['a number as a key', (record) => withKeys(record, {
    keyGenerator: (request: FastifyRequest) => Number(header(request)), max: (_request: unknown, key: number) => new Set([42]).has(key) ? 2 : 1
  }), [by('42'), by('42'), by('7'), by('7')], [200, 200, 200, 429]],
  ['a BigInt as a key', (record) => withKeys(record, { keyGenerator: (request: FastifyRequest) => BigInt(header(request)), max: 1 }),
    [by('42'), by('7'), by('42')], [200, 200, 429]],
  ['text on the list is no number', { keyGenerator: () => 42, allowList: ['42'], max: 0 }, ['/'], [429]],
  ['a number on the list', { keyGenerator: (request: FastifyRequest) => Number(header(request)), allowList: [42], max: 0 }, [by('42'), by('7')], [200, 429]],
  ['nothing on the list', { allowList: [undefined], max: 1 }, repeatStep(2, '/'), [200, 429]],
  ['the key of an IPv6 subnet on the list exempts its clients', { allowList: ['2001:db8:1:2::'], max: 0 },
    ['2001:db8:1:2::', '2001:db8:1:2::7', '2001:db8:1:3::'].map((remoteAddress) => ({ url: '/', remoteAddress })), [200, 200, 429]],
  // Options that have no meaning where they are.
  ['cache: 0', { max: 1, cache: 0 }, repeatStep(2, '/'), [200, 429]],
  ['redis: false', { max: 1, redis: false }, repeatStep(2, '/'), [200, 429]],
  ['redis by an empty variable', { max: 1, redis: '' }, repeatStep(2, '/'), [200, 429]],
  ['flags of a header that allowed responses never have', { max: 1, addHeadersOnExceeding: { 'retry-after': false, 'x-ratelimit-reset': false } }, repeatStep(2, '/'), [200, 429]],
  ['groupId at register', { max: 1, groupId: 'g' }, repeatStep(2, '/'), [200, 429]],
  ...['{rl}:public:', 'my app ', 'n'.repeat(65)].map((nameSpace): Row => [`nameSpace: ${nameSpace}`, { max: 1, nameSpace }, repeatStep(2, '/'), [200, 429]])
]

for (const [title, options, steps, statuses] of rows) {
  t.test(title, async (t) => {
    t.strictSame(await assertSame(t, { options }, ...steps), statuses)
  })
}

t.test('the options of register, spread into those of a route and of a hook', async (t) => {
  const options = { global: true, max: 1, timeWindow: 1000, redis: null, nameSpace: 'app-', cache: 10, hook: 'onRequest', skipOnError: true }
  t.strictSame(await assertSame(t, {
    options,
    server: { exposeHeadRoutes: false },
    routes (app) {
      app.get('/own', createRouteConfig({ ...options, max: 2, groupId: '' }), async () => 'own')
      app.get('/other', createRouteConfig({ ...options, max: 1, groupId: '' }), async () => 'other')
      app.setNotFoundHandler({ preHandler: getDecorators(app).rateLimit({ ...options, max: 3 }) }, (_request, reply) => reply.code(404).send('none'))
    }
  }, ...repeatStep(3, '/own'), '/other', ...repeatStep(4, '/no/such'), ...repeatStep(2, '/')), [200, 200, 429, 200, 404, 404, 404, 429, 200, 429])
})

t.test('a groupId at register makes no group of the routes', async (t) => {
  t.strictSame(await assertSame(t, {
    options: { max: 3, groupId: 'g' },
    server: { exposeHeadRoutes: false },
    routes (app) {
      app.get('/a', createRouteConfig({ max: 1 }), async () => 'a')
      app.get('/b', createRouteConfig({ max: 2 }), async () => 'b')
    }
  }, '/a', '/b', '/b', '/a', '/b', '/'), [200, 200, 200, 429, 429, 200])
})

t.test('any numbers start, and the first request has the same answer', async (t) => {
  const integers = (max: number) => fc.oneof(fc.constantFrom(1, 2, 1000, max), fc.double({ min: 0, max: Math.log2(max), noNaN: true }).map((log) => Math.floor(2 ** log)))
  const numbers = fc.record({
    max: fc.oneof(fc.constant(0), integers(Number.MAX_SAFE_INTEGER)),
    // 17 years.
    timeWindow: integers(2 ** 39),
    ban: fc.option(fc.oneof(fc.constant(0), integers(Number.MAX_SAFE_INTEGER)), { nil: -1 }),
    continueExceeding: fc.boolean(),
    exponentialBackoff: fc.boolean()
  })
  await assertPropertyAsync(numbers, 200, async (options) => {
    const there = await (await createOriginalSide(t, { options })).run('/')
    const here = await (await createCompatSide(t, { options })).run('/')
    if (JSON.stringify(here) !== JSON.stringify(there)) throw new Error(`there: ${JSON.stringify(there)}, here: ${JSON.stringify(here)}`)
  })
})

t.test('null as the options of a hook', async (t) => {
  t.strictSame(await assertSame(t, {
    options: { max: 1 },
    routes (app) {
      app.get('/hook', { ...createRouteConfig(false), preHandler: getDecorators(app).rateLimit(null as never) }, async () => 'hook')
    }
  }, '/', '/hook', '/hook', '/'), [200, 200, 429, 429])
})
