// A store of the application's own: one that asks a thread, and stores that fail in every way.
import t, { type Test } from 'tap'
import type { RateLimitOptions, Store } from '../../lib/index.js'
import { storeContract } from '../../lib/store-contract/index.js'
import { bareApp, limitedApp, remainders, statuses, type TestApp } from '../fixtures/app.js'
import { BucketThread, ThreadStore } from '../fixtures/thread-store.js'

const thread = new BucketThread(t)
let stores = 0

function threadStore (): ThreadStore {
  return new ThreadStore(thread, `store-${stores++}`)
}

/** Far more time than a thread takes, and closed: a store that cannot answer must show. */
const patient: RateLimitOptions = { deadline: 5000, failureMode: 'closed' }

for (const { title, run } of storeContract()) {
  t.test(`contract: ${title}`, async (t) => {
    await run(() => {
      const store = threadStore()
      return { store, advance: (us) => store.advance(us) }
    })
    t.pass()
  })
}

t.test('limits hold in it, for every registration that is given it', async (t) => {
  const store = threadStore()
  const { app } = await limitedApp(t, { ...patient, max: 2, timeWindow: '1 minute', store })
  t.strictSame(await statuses(app, 3), [200, 200, 429])
  const other = await limitedApp(t, { ...patient, max: 2, timeWindow: '1 minute', store })
  t.strictSame(await statuses(other.app, 1), [429], 'another instance of the application')
  await store.advance(60_000_000)
  other.clock.advance(60_000_000)
  t.strictSame(await statuses(other.app, 3), [200, 200, 429])
})

t.test('charges, refunds, peeks and resets go there', async (t) => {
  const { app } = await limitedApp(t, { ...patient, max: 10, timeWindow: '1 minute', store: threadStore() })
  app.get('/heavy', async (request) => { await request.rateLimit?.charge(4) })
  app.get('/free', async (request) => { await request.rateLimit?.refund(1) })
  t.strictSame(await remainders(app, '/heavy', '/free', '/'), [9, 4, 4])
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 4 }])
  t.equal(await app.rateLimit.reset('ip:127.0.0.1'), 1)
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 10 }])
})

t.test('a penalty blocks in it, and holds to its end while it is away', async (t) => {
  const store = threadStore()
  const { app } = await limitedApp(t, {
    max: 1, timeWindow: '1 minute', deadline: 5000, breaker: { failures: 1 }, store, penalty: { strikes: 2, within: '1 minute', cooldown: '5 minutes' }
  })
  t.strictSame(await statuses(app, 4), [200, 429, 429, 429])
  t.match(await app.rateLimit.blocked(), { blocked: [{ partition: 'ip:127.0.0.1', remainingMs: 300_000 }] })
  store.take = () => { throw new Error('gone') }
  t.strictSame(await statuses(app, 2), [429, 429])
})

t.test('who is refused is answered without it for a second', async (t) => {
  const store = threadStore()
  const { app } = await limitedApp(t, { ...patient, max: 1, timeWindow: '1 minute', store })
  await statuses(app, 20)
  t.equal(store.takes, 2)
})

t.test('health and metrics tell of it by its kind', async (t) => {
  const store = threadStore()
  const { app } = await limitedApp(t, { ...patient, breaker: { failures: 1 }, store })
  await statuses(app, 2)
  t.match(await app.rateLimit.health(), { status: 'ok', store: 'thread', breaker: 'closed', lastError: null })
  store.take = () => { throw Object.assign(new Error('no'), { code: 'EGONE' }) }
  await statuses(app, 3)
  t.match(await app.rateLimit.health(), { status: 'degraded', store: 'thread', breaker: 'open', lastError: 'EGONE' })
  const metrics = await app.rateLimit.metrics?.metrics() ?? ''
  t.match(metrics, 'rate_limit_store_duration_seconds_count{store="thread",operation="take"} 2')
  t.match(metrics, 'rate_limit_store_errors_total{store="thread",reason="error"} 2')
  t.match(metrics, 'rate_limit_store_errors_total{store="thread",reason="breaker"} 1')
})

t.test('it is not closed: it is its owner\'s', async (t) => {
  const store: Store = Object.assign(threadStore(), { close () { t.fail('it was closed') } })
  const { app } = await limitedApp(t, { store })
  await app.close()
})

const wrong: ReadonlyArray<readonly [what: string, take: () => unknown]> = [
  ['throws', () => { throw new Error('thrown') }],
  ['rejects', async () => { throw new Error('rejected') }],
  ['rejects with nothing', () => Promise.reject()], // eslint-disable-line prefer-promise-reject-errors
  ['hangs', () => new Promise(() => {})],
  ['answers nothing', () => undefined],
  ['answers nothing later', async () => null],
  ['answers an empty receipt', () => ({ granted: true, atUs: 0, standings: [], blocks: [] })],
  ['grants everything without a word', async () => ({ granted: true })],
  ['says that it is not there', () => ({ unavailable: 'connection' })]
]

/** An application whose store takes like this. */
async function ailing (t: Test, take: () => unknown, options: RateLimitOptions): Promise<TestApp> {
  return await limitedApp(t, { max: 2, timeWindow: '1 hour', deadline: 5, store: Object.assign(threadStore(), { take }), ...options })
}

for (const [what, take] of wrong) {
  t.test(`a store that ${what} ends in the failure mode`, async (t) => {
    const local = await ailing(t, take, {})
    t.strictSame(await statuses(local.app, 3), [200, 200, 429], 'local')
    t.match(local.log, [{ source: 'store', err: { code: 'FST_SLUICE_STORE' } }], 'told once')
    const open = await ailing(t, take, { failureMode: 'open' })
    t.strictSame(await statuses(open.app, 3), [200, 200, 200], 'open')
    const closed = await ailing(t, take, { failureMode: 'closed' })
    t.strictSame(await statuses(closed.app, 3), [503, 503, 503], 'closed')
  })
}

t.test('its error is logged with what it threw, and no client reads it', async (t) => {
  const { app, log } = await ailing(t, () => { throw new Error('the words of the store') }, { failureMode: 'closed' })
  t.notMatch((await app.inject('/')).body, 'words')
  t.match(JSON.stringify(log), 'the words of the store')
})

t.test('with the breaker open it is not asked, until a probe finds it well', async (t) => {
  let calls = 0
  let isDown = true
  const store = threadStore()
  const well = store.take.bind(store)
  store.take = async (charges) => {
    calls++
    if (isDown) throw new Error('down')
    return await well(charges)
  }
  const { app, clock } = await limitedApp(t, { max: 5, timeWindow: '1 hour', deadline: 5000, failureMode: 'open', store, breaker: { failures: 3, openFor: '5s' } })
  await statuses(app, 50)
  t.equal(calls, 3)
  clock.advance(5_000_000)
  isDown = false
  t.equal((await app.inject('/')).headers['x-ratelimit-remaining'], '4')
  t.equal(calls, 4)
})

t.test('an adjustment that fails breaks no request', async (t) => {
  const store = Object.assign(threadStore(), { adjust () { throw new Error('no') } })
  const { app, log } = await limitedApp(t, { ...patient, refundOn: [200], store })
  app.get('/heavy', async (request) => { await request.rateLimit?.charge(4) })
  t.strictSame([...await statuses(app, 2), ...await statuses(app, 2, '/heavy')], [200, 200, 200, 200])
  t.match(log, [{ source: 'store' }])
})

const NEEDED = 'a store: an object with a `kind` and the methods take, peek, adjust, reset and ping'
const method = () => {}
const mistakes: ReadonlyArray<readonly [store: unknown, message: string]> = [
  ['redis://127.0.0.1', `rateLimit.store: expected ${NEEDED}, got "redis://127.0.0.1"`],
  [ThreadStore, `rateLimit.store: expected ${NEEDED}, got a function`],
  [[], `rateLimit.store: expected ${NEEDED}, got an array of 0`],
  [null, `rateLimit.store: expected ${NEEDED}, got null`],
  [{ kind: 'counter', incr: method, child: method, take: 5, ping: method }, `rateLimit.store: expected ${NEEDED}, got an object without take, peek, adjust, reset`],
  [{ take: method, peek: method, adjust: method, reset: method, ping: method }, 'rateLimit.store.kind: expected a name of letters, digits, ".", "_" and "-", at most 64, got nothing'],
  [{ kind: 'a b', take: method, peek: method, adjust: method, reset: method, ping: method }, 'rateLimit.store.kind: expected a name of letters, digits, ".", "_" and "-", at most 64, got "a b"']
]
for (const [store, message] of mistakes) {
  t.test(`refused at registration: ${message}`, async (t) => {
    const { app, plugin } = bareApp(t)
    // @ts-expect-error: no store
    await t.rejects(async () => await app.register(plugin, { store }), { code: 'FST_SLUICE_BAD_OPTION', message })
  })
}

t.test('with redis it is a contradiction', async (t) => {
  const { app, plugin } = bareApp(t)
  await t.rejects(async () => await app.register(plugin, { redis: 'redis://127.0.0.1:1', store: threadStore() }), {
    code: 'FST_SLUICE_CONTRADICTION', message: 'rateLimit.store: contradicts redis; set only one of them'
  })
})

t.test('two registrations of one name would share its buckets', async (t) => {
  const { app, plugin } = bareApp(t)
  const store = threadStore()
  app.register(async (scope) => { await scope.register(plugin, { name: 'api', store }) })
  app.register(async (scope) => { await scope.register(plugin, { name: 'api', store }) })
  await t.rejects(async () => await app.ready(), { code: 'FST_SLUICE_CONTRADICTION', message: 'rateLimit.name: another registration has the name "api" already' })
})

t.test('it cannot be exchanged while the server runs, also not for its like', async (t) => {
  const store = threadStore()
  const { app } = await limitedApp(t, { ...patient, max: 2, timeWindow: '1 hour', store })
  await t.rejects(app.rateLimit.reload({ store: new ThreadStore(thread, 'other') }), { code: 'FST_SLUICE_FIXED_OPTION' })
  await app.rateLimit.reload({ max: 3, store })
  t.strictSame(await remainders(app, '/'), [2])
})
