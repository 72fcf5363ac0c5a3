// The clock that a test of an application moves: all that a decision depends on follows it, and nothing else.
import fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { rateLimitPlugin, type RateLimitOptions } from '../../lib/index.js'
import { MemoryStore } from '../../lib/stores/memory/store.js'
import { ManualClock } from '../../lib/testing/index.js'
import { statuses, type LogLine } from '../fixtures/app.js'
import { shareRedis } from '../fixtures/redis-server.js'
import { until } from '../fixtures/until.js'

interface Clocked {
  readonly app: FastifyInstance
  readonly clock: ManualClock
  readonly log: readonly LogLine[]
  /** `retryAfterMs` of each request. */
  readonly waits: readonly unknown[]
}

async function clockedApp (t: Test, options: RateLimitOptions, clock = new ManualClock()): Promise<Clocked> {
  const log: LogLine[] = []
  const app = fastify({ logger: { level: 'info', stream: { write: (line: string) => { log.push(JSON.parse(line)) } } } })
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { clock, ...options })
  app.get('/', async () => 'hello')
  const waits: unknown[] = []
  app.addHook('onResponse', async (request) => { waits.push(request.rateLimit?.retryAfterMs) })
  await app.ready()
  return { app, clock, log, waits }
}

const FOLLOWERS: ReadonlyArray<readonly [what: string, options: RateLimitOptions, refused: number]> = [
  ['a token bucket', { max: 2, timeWindow: '1 minute' }, 1],
  ['a sliding window', { limits: [{ name: 'a', max: 2, timeWindow: '1 minute', algorithm: 'sliding-window' }] }, 1],
  ['a fixed window', { limits: [{ name: 'a', max: 2, timeWindow: '1 minute', algorithm: 'fixed-window' }] }, 1],
  ['a penalty', { max: 2, timeWindow: '1 second', penalty: { strikes: 1, within: '1 minute', cooldown: '1 minute' } }, 3]
]

for (const [what, options, refused] of FOLLOWERS) {
  t.test(`${what} follows it, to the millisecond`, async (t) => {
    const { app, clock, waits } = await clockedApp(t, options)
    t.strictSame(await statuses(app, 2 + refused), [200, 200, ...Array.from({ length: refused }, () => 429)])
    const retryAfterMs = waits.at(-1)
    t.type(retryAfterMs, 'number')
    await clock.advance(Number(retryAfterMs) - 1)
    t.strictSame(await statuses(app, 1), [429])
    await clock.advance(1)
    t.strictSame(await statuses(app, 1), [200])
  })
}

t.test('held requests leave when it reaches their time, in order, and not before', async (t) => {
  const { app, clock } = await clockedApp(t, { max: 1, timeWindow: '1 minute', throttle: { maxDelay: '1 hour' } })
  const answered: number[] = []
  const requests = [0, 1, 2, 3].map(async (n) => { await app.inject('/'); answered.push(n) })
  await clock.advance(59_999)
  t.strictSame(answered, [0])
  await clock.advance(1)
  t.strictSame(answered, [0, 1])
  await clock.advance('2 minutes')
  t.strictSame(answered, [0, 1, 2, 3])
  await Promise.all(requests)
})

t.test('a clock without onMove releases held requests by timers', async (t) => {
  let nowUs = 0
  const { app } = await clockedApp(t, { max: 1, timeWindow: '20ms', throttle: { maxDelay: '1 minute' }, clock: { nowUs: () => nowUs } })
  await app.inject('/')
  const held = app.inject('/')
  await new Promise((resolve) => { setImmediate(resolve) })
  nowUs += 20_000
  t.equal((await held).statusCode, 200)
})

t.test('a held request ends with the application, which the clock then forgets', async (t) => {
  const { app, clock } = await clockedApp(t, { max: 1, timeWindow: '1 minute', throttle: { maxDelay: '1 hour' } })
  await app.inject('/')
  const held = app.inject('/')
  await clock.advance(1)
  await app.close()
  t.equal((await held).statusCode, 503)
  await clock.advance('1 hour')
})

t.test('the aggregates of the refusal log are written when it ends their interval', async (t) => {
  const { app, clock, log } = await clockedApp(t, { max: 1, timeWindow: '1 hour', log: { interval: '10s' } })
  await statuses(app, 5)
  const repeats = () => log.filter((line) => 'repeats' in line)
  await clock.advance(9_999)
  t.strictSame(repeats(), [])
  await clock.advance(1)
  t.match(repeats(), [{ repeats: 3 }])
})

t.test('with a custom store, the breaker and the cache of refusals follow it, the deadline does not', async (t) => {
  const clock = new ManualClock()
  const store = new MemoryStore({ clock, maxKeys: 1000 })
  t.teardown(() => { store.close() })
  const { app } = await clockedApp(t, { max: 1, timeWindow: '1 minute', store, deadline: 5000, failureMode: 'closed', breaker: { failures: 1, openFor: '5s' } }, clock)
  t.strictSame(await statuses(app, 2), [200, 429])
  await clock.advance('1 minute')
  t.strictSame(await statuses(app, 2), [200, 429], 'a cached refusal has ended too')

  await clock.advance('1 minute')
  const { take } = store
  let answer = () => {}
  Object.assign(store, {
    take: async (charges: Parameters<typeof take>[0]) => {
      await new Promise<void>((resolve) => { answer = resolve })
      return take.call(store, charges)
    }
  })
  const slow = app.inject('/')
  await clock.advance('1 hour')
  answer()
  t.equal((await slow).statusCode, 200, 'an hour of the clock is no time for a call')

  await clock.advance('1 minute')
  store.take = () => { throw new Error('down') }
  t.strictSame(await statuses(app, 2), [503, 503])
  store.take = take
  t.strictSame(await statuses(app, 1), [503], 'the breaker is open')
  await clock.advance('5s')
  t.strictSame(await statuses(app, 1), [200])
})

t.test('in Redis the clock of Redis decides', async (t) => {
  const { url } = await shareRedis()
  const { app, clock } = await clockedApp(t, { redis: url, deadline: 5000, failureMode: 'closed', limits: [{ name: 'a', max: 1, timeWindow: '1 hour' }] })
  t.strictSame(await statuses(app, 2), [200, 429])
  await clock.advance('1 hour')
  t.strictSame(await statuses(app, 1), [429])
})

t.test('a refusal of Redis ends by the time of Redis, however the clock stands', async (t) => {
  const { url } = await shareRedis()
  const { app } = await clockedApp(t, { redis: url, name: 'short', deadline: 5000, failureMode: 'closed', max: 1, timeWindow: '300ms' })
  t.equal((await app.inject('/')).statusCode, 200)
  const isAllowed = async () => (await app.inject('/')).statusCode === 200
  t.ok(await until('it is allowed again', 10_000, isAllowed), 'the manual clock has not moved')
})

t.test('a move that is no duration is an error', async (t) => {
  for (const wrong of [-1, 0, 1.5, NaN, '10 parsecs', '']) await t.rejects(new ManualClock().advance(wrong), { code: 'FST_SLUICE_BAD_OPTION', message: /^advance: / })
})

t.test('a clock must have nowUs, and a reload cannot change it', async (t) => {
  for (const clock of [null, 5, 'now', {}, () => 5, { nowUs: 5 }]) {
    const app = fastify()
    await t.rejects(Promise.resolve(app.register(rateLimitPlugin, { clock } as object)), { code: 'FST_SLUICE_BAD_OPTION', message: /^rateLimit\.clock: expected a clock/ })
  }
  const { app } = await clockedApp(t, {})
  await t.rejects(app.rateLimit.reload({ clock: new ManualClock() }), { code: 'FST_SLUICE_FIXED_OPTION', message: /clock/ })
})
