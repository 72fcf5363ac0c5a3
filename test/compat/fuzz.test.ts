// Random applications under both plugins. What docs/migration.md lists as different is left out; anything else must be the same.
import fc from 'fast-check'
import t from 'tap'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { assertPropertyAsync } from '../fixtures/property.js'
import { createCompatSide, createOriginalSide, createRouteConfig, getDecorators, type Options, type Step, type TestCase } from './side-by-side.js'

type Callback = (error: unknown, result?: object) => void

const header = ({ headers }: FastifyRequest) => String(headers.key)
const flag = fc.boolean()

/** Functions are made for each side, for some of them keep state. */
type Make<Value> = () => Value

function always<Value> (...values: readonly Value[]): fc.Arbitrary<Make<Value>> {
  return fc.constantFrom(...values).map((value) => () => value)
}

const keyGenerators = always<unknown>(
  header,
  async (request: FastifyRequest) => header(request),
  (request: FastifyRequest) => header(request).length,
  (request: FastifyRequest) => header(request).length + 0.5,
  (request: FastifyRequest) => BigInt(header(request).length),
  () => undefined,
  () => true,
  (request: FastifyRequest) => header(request).repeat(200),
  undefined
)

const numbers = [0, 1, 2, 3, 1.9, 5e9, Number.MAX_SAFE_INTEGER]
const maxes = fc.oneof(
  always<unknown>(...numbers),
  fc.constantFrom(...numbers, -1, -Infinity, Infinity, '2').map((max) => () => async () => max),
  fc.constantFrom(...numbers).map((max) => () => (_request: unknown, key: unknown) => String(key).length === 1 ? max : 2),
  // Another result for each request.
  fc.constant(() => { let max = 0; return () => max++ % 4 })
)

const windows = fc.oneof(
  always<unknown>(1000, 1500.5, '2s', '1 minute', undefined),
  fc.constantFrom(1000, 2000, 60_000).map((ms) => () => async () => ms),
  fc.constant(() => (_request: unknown, key: unknown) => 1000 * String(key).length)
)

/** With these, no time passes: windows and bans end at other times, as documented. */
const timeless = fc.record({
  timeWindow: fc.oneof(windows, fc.constant(() => { let leftMs = 60_000; return () => leftMs-- })),
  ban: always<unknown>(undefined, -1, 0, 1, 2.5, 1e6),
  exponentialBackoff: always(undefined, true)
})

const allowLists = always<unknown>(
  undefined, [], [''], [7, null], ['a'], [1], ['1'], [1n],
  (_request: unknown, key: unknown) => key === 'b' ? 'yes' : '', async (_request: unknown, key: unknown) => key === 2 ? {} : null
)

/** A store that answers as databases do. */
function createStore (answer: (current: number, callback: Callback) => void) {
  return class Store {
    readonly counts = new Map<unknown, number>()
    incr (key: unknown, callback: Callback): void {
      const current = (this.counts.get(String(key)) ?? 0) + 1
      this.counts.set(String(key), current)
      answer(current, callback)
    }

    child () { return new Store() }
  }
}

const stores = always<unknown>(
  ...Array(6).fill(undefined),
  createStore((current, callback) => { callback(null, { current, ttl: 900 }) }),
  createStore((current, callback) => { callback(null, { current: String(current), ttl: '900' }) }),
  createStore((current, callback) => { setImmediate(() => { callback(undefined, { current, ttl: 0.5 }) }) }),
  createStore((_current, callback) => { callback(Object.assign(new Error('away'), { statusCode: 502 })) })
)

const flags = fc.dictionary(fc.constantFrom('x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'), flag)

const common = {
  max: maxes,
  allowList: allowLists,
  continueExceeding: always(undefined, true),
  hook: always('onRequest', 'preParsing', 'preValidation', 'preHandler')
}

type Makers = Readonly<Record<string, Make<unknown>>>

function make (makers: Makers): Options {
  return Object.fromEntries(Object.entries(makers).map(([name, create]) => [name, create()] as const).filter(([, value]) => value !== undefined))
}

const requests = fc.record({ url: fc.constantFrom('/', '/own', '/check', '/no'), key: fc.constantFrom('a', 'b', 'cc', 'dd') })
  .map(({ url, key }): Step => ({ url, headers: { key } }))

function applications (isTimed: boolean) {
  return fc.record({
    plugin: fc.record({ ...common, keyGenerator: keyGenerators, store: isTimed ? fc.constant(() => undefined) : stores, addHeaders: flags.map((value) => () => value) }),
    time: isTimed ? fc.record({ timeWindow: windows }) : timeless,
    own: fc.record({ ...common, timeWindow: windows }, { requiredKeys: [] }),
    check: fc.record({ max: always<unknown>(...numbers) }),
    global: flag,
    steps: fc.array(isTimed ? fc.oneof({ weight: 3, arbitrary: requests }, fc.constantFrom<Step>(1, 499, 500, 1000, 60_000)) : requests, { minLength: 4, maxLength: 16 })
  })
}

function requireSame (found: unknown, expected: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(expected)) throw new Error(`there: ${JSON.stringify(expected)}, here: ${JSON.stringify(found)}`)
}

for (const isTimed of [false, true]) {
  t.test(`random applications answer the same${isTimed ? ' while time passes' : ''}`, async (t) => {
    const now = Date.now
    await assertPropertyAsync(applications(isTimed), 500, async ({ plugin, time, own, check, global, steps }) => {
      const { exponentialBackoff, continueExceeding } = make({ ...time, ...plugin, ...own } as Makers)
      const hasWait = exponentialBackoff === true || continueExceeding === true || make(plugin).continueExceeding === true
      // There a wait depends on `max`, here on the refusals: the same if a client has one whole number.
      const max = hasWait ? { max: () => (_request: unknown, key: unknown) => String(key).length === 1 ? 1 : 3 } : {}
      const createCase = (): TestCase => ({
        server: { exposeHeadRoutes: false },
        options: (record) => ({
          ...make({ ...plugin, ...time, ...max } as Makers),
          global,
          onExceeding: (_request: unknown, key: unknown) => { record(`passes ${typeof key} ${String(key)}`) },
          onExceeded: (_request: unknown, key: unknown) => { record(`exceeded ${typeof key} ${String(key)}`) }
        }),
        routes (app: FastifyInstance) {
          app.get('/own', createRouteConfig(make({ ...own, ...max } as Makers)), async () => 'own')
          const limiter = getDecorators(app).createRateLimit(make(check))
          app.get('/check', createRouteConfig(false), async (request) => {
            const { key, ...answer } = await limiter(request)
            return { ...answer, key: String(key), ttl: Math.ceil(Number(answer.ttl) / 1000) }
          })
        }
      })
      const closing: Array<() => unknown> = []
      // Each application is closed at once: the test would keep a thousand of them.
      const scope = { teardown: (close: () => unknown) => { closing.push(close) } } as unknown as typeof t
      try {
        const there = await createOriginalSide(scope, createCase())
        const expected = await there.run(...steps)
        const here = await createCompatSide(scope, createCase())
        const found = await here.run(...steps)
        for (const [index, response] of expected.entries()) requireSame(found[index], response)
        requireSame(here.calls, there.calls)
      } finally {
        Date.now = now
        for (const close of closing) await close()
      }
    })
  })
}
