// Stores of the original's kind, under both plugins.
import { mock } from 'node:test'
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { buildFastifyRateLimit } from '../../lib/compat/build.js'
import { bareApp } from '../fixtures/app.js'
import { assertDifferent, createRouteConfig, getDecorators, createCompatSide, assertSame, repeatStep } from './side-by-side.js'

type Callback = (error: unknown, result?: { current: unknown, ttl?: unknown }) => void

/** Counts in an object, without a window; tells how it was made and asked. */
function storeThatTells (record: (call: string) => void) {
  return class Store {
    readonly counts = new Map<string, number>()
    readonly name: string

    constructor ({ max, timeWindow, routeInfo }: { max: number, timeWindow: number, routeInfo?: { url?: string } }, name = 'shared') {
      this.name = name
      record(`made ${name} ${max} ${timeWindow} ${routeInfo?.url ?? ''}`)
    }

    incr (key: string, callback: Callback, timeWindow: number, max: number): void {
      record(`${this.name} ${key} ${timeWindow} ${max}`)
      const current = (this.counts.get(key) ?? 0) + 1
      this.counts.set(key, current)
      callback(null, { current, ttl: timeWindow })
    }

    read (key: string, callback: Callback): void {
      callback(null, { current: this.counts.get(key) ?? 0, ttl: 0 })
    }

    child (options: { max: number, timeWindow: number, routeInfo: { url?: string } }): Store {
      return new Store(options, `child of ${this.name}`)
    }
  }
}

/** Does with each call what it is told to. */
function storeThat (answer: (callback: Callback) => unknown) {
  return class Store {
    incr (_key: string, callback: Callback): unknown { return answer(callback) }
    child (): Store { return this }
  }
}

t.test('a store counts for the plugin, and a child of it for each route and limiter', async (t) => {
  await assertSame(t, {
    // Here HEAD has the store of GET; there it has one of its own.
    server: { exposeHeadRoutes: false },
    options: (record) => ({ max: 1, ban: 1, timeWindow: '1s', store: storeThatTells(record) }),
    routes (app: FastifyInstance) {
      app.get('/own', createRouteConfig({ max: 2 }), async () => 'own')
      const check = getDecorators(app).createRateLimit({ max: 3 })
      app.get('/check', createRouteConfig(false), async (request) => [await check(request, { increment: false }), await check(request)])
    }
  }, ...repeatStep(4, '/'), ...repeatStep(3, '/own'), '/check')
})

t.test('a route and a limiter may have a store of their own', async (t) => {
  const made: string[] = []
  const { run } = await createCompatSide(t, {
    options: { max: 1 },
    routes (app: FastifyInstance) {
      const Store = storeThatTells((call) => { made.push(call) })
      app.get('/own', createRouteConfig({ store: Store }), async () => 'own')
      const check = getDecorators(app).createRateLimit({ store: Store, max: 5 })
      app.get('/check', createRouteConfig(false), async (request) => await check(request))
    }
  })
  await run('/', '/own', '/check')
  t.strictSame(made, ['made shared 1 60000 /own', 'made shared 5 60000 ', 'shared 127.0.0.1 60000 1', 'shared 127.0.0.1 60000 5'])
})

interface ChildOptions {
  readonly table: string
  readonly routeInfo: { readonly path: string, readonly url: string, readonly prefix: string, readonly config: object }
  readonly ban: number
  readonly hook: string
  readonly skipOnError: boolean
}

const NO_HEADERS = { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false }

const SECRET = 'ERR the password hunter2 is wrong'

t.test('what a store says goes to no client', async (t) => {
  const one = { options: { store: storeThat((callback) => { callback(new Error(SECRET)) }) } }
  const { there, here } = await assertDifferent(t, one, ['/'], { there: [500], here: [503] })
  t.match(there[0].body, SECRET)
  t.notMatch(here[0].body, SECRET)
  t.match(JSON.parse(here[0].body), { statusCode: 503, message: 'Rate limits cannot be checked at present' })
})

t.test('with skipOnError a request passes, and no header says what nobody knows', async (t) => {
  const passed: unknown[] = []
  const one = { options: { skipOnError: true, onExceeding: (_request: unknown, key: unknown) => { passed.push(key) }, store: storeThat((callback) => { callback(new Error(SECRET)) }) } }
  const { there, here } = await assertDifferent(t, one, ['/'], { there: [200], here: [200] })
  t.equal(passed.length, 1, 'onExceeding is called by the original only')
  t.equal(there[0].headers['x-ratelimit-remaining'], '1000')
  t.equal(here[0].headers['x-ratelimit-remaining'], undefined)
})

for (const [skipOnError, status] of [[true, 200], [false, 503]] as const) {
  t.test(`a store that never answers is waited for no longer than the deadline, skipOnError: ${skipOnError}`, async (t) => {
    const { run } = await createCompatSide(t, { options: { skipOnError, deadline: 20, store: storeThat(() => {}) } })
    t.equal((await run('/'))[0].status, status)
  })
}

t.test('a store may take a second, and no longer', async (t) => {
  for (const [waitMs, status] of [[999, 200], [1000, 503]]) {
    mock.timers.enable({ apis: ['setTimeout'] })
    t.teardown(() => { mock.timers.reset() })
    let call: (callback: Callback) => void = () => {}
    const called = new Promise<Callback>((resolve) => { call = resolve })
    const { run } = await createCompatSide(t, { options: { store: storeThat((callback) => { call(callback) }) } })
    const responses = run('/')
    const callback = await called
    mock.timers.tick(waitMs)
    callback(null, { current: 1, ttl: 1000 })
    t.equal((await responses)[0].status, status, `${waitMs} ms`)
    mock.timers.reset()
  }
})

const nonsense: ReadonlyArray<readonly [why: string, answer: (callback: Callback) => void]> = [
  ['throws', () => { throw new Error('at once') }],
  ['answers nothing', (callback) => { callback(null) }],
  ['answers no number', (callback) => { callback(null, { current: NaN, ttl: 0 }) }]
]
for (const [why, answer] of nonsense) {
  t.test(`a store that ${why} lets nobody pass`, async (t) => {
    const { run } = await createCompatSide(t, { options: { store: storeThat(answer) } })
    t.equal((await run('/'))[0].status, 503)
  })
}

t.test('a look needs a store that can, also with skipOnError', async (t) => {
  for (const skipOnError of [false, true]) {
    const one = {
      options: { skipOnError, store: storeThat((callback) => { callback(null, { current: 1, ttl: 1 }) }) },
      routes (app: FastifyInstance) {
        const check = getDecorators(app).createRateLimit()
        app.get('/look', createRouteConfig(false), async (request) => await check(request, { increment: false }))
      }
    }
    await assertDifferent(t, one, ['/look'], { there: [500], here: [500] })
  }
})

const answers: ReadonlyArray<readonly [why: string, error: unknown, result: { current: unknown, ttl?: unknown }]> = [
  ['text, as SQL drivers do', null, { current: '3', ttl: '5000' }],
  ['text with a large count', undefined, { current: '10', ttl: '5000' }],
  ['false for no error', false, { current: 3, ttl: 5000 }],
  ['an empty text for no error', '', { current: 1, ttl: 5000 }],
  ['a fraction', null, { current: 2.5, ttl: 1.5 }],
  ['a time that has passed', null, { current: 1, ttl: -1 }]
]
for (const [why, error, result] of answers) {
  t.test(`a store may answer ${why}`, async (t) => {
    await assertSame(t, { options: { max: 2, ban: 5, store: storeThat((callback) => { callback(error, result) }) } }, '/', '/')
  })
}

t.test('a store may answer a BigInt, and no ttl', async (t) => {
  for (const [result, there] of [[{ current: 3n, ttl: 5000n }, 500], [{ current: 3 }, 429], [{ current: 3, ttl: null }, 429]] as const) {
    const one = { options: { max: 2, timeWindow: 5000, store: storeThat((callback) => { callback(null, result) }) } }
    const { here } = await assertDifferent(t, one, ['/'], { there: [there], here: [429] })
    t.equal(here[0].headers['retry-after'], '5')
  }
})

t.test('an error of a store with a status is the answer', async (t) => {
  const error = Object.assign(new Error('come back later'), { statusCode: 502, code: 'STORE_AWAY' })
  t.strictSame(await assertSame(t, { options: { store: storeThat((callback) => { callback(error) }) } }, '/'), [502])
  t.strictSame(await assertSame(t, { options: { skipOnError: true, addHeadersOnExceeding: NO_HEADERS, store: storeThat((callback) => { callback(error) }) } }, '/'), [200])
})

t.test('an async method that rejects is a failure of the store', async (t) => {
  const { run } = await createCompatSide(t, { options: { store: storeThat(async () => { throw new Error(SECRET) }) } })
  t.equal((await run('/'))[0].status, 503)
})

t.test('a child learns of the whole route and of options of its own', async (t) => {
  const seen: unknown[] = []
  class Store {
    readonly table: string
    constructor (table = 'shared') { this.table = table }
    incr (_key: string, callback: Callback): void { callback(null, { current: 1, ttl: 1000 }) }
    child ({ table, routeInfo: { path, url, prefix, config }, ban, hook, skipOnError }: ChildOptions): Store {
      seen.push({ table, path, url, prefix, config, ban, hook, skipOnError })
      return new Store(table)
    }
  }
  t.strictSame(await assertSame(t, {
    server: { exposeHeadRoutes: false },
    options: { store: Store },
    routes (app: FastifyInstance) {
      app.register(async (scope) => { scope.get('/own', { config: { rateLimit: { max: 2, table: 'own' }, note: 'x' } as object }, async () => 'own') }, { prefix: '/api' })
    }
  }, '/api/own'), [200])
  t.strictSame(seen[1], seen[0])
  t.match(seen[0], { table: 'own', path: '/api/own', prefix: '/api', config: { note: 'x', rateLimit: { table: 'own' } }, ban: -1, hook: 'onRequest', skipOnError: false })
})

t.test('a store receives the key that the generator returned', async (t) => {
  class Id {
    readonly id: string
    constructor (id: string) { this.id = id }
    toString () { return this.id }
  }
  for (const key of ['a', 42, 42n, true, new Id('a')]) {
    const seen: unknown[] = []
    class Store {
      incr (key: unknown, callback: Callback): void { seen.push(key); callback(null, { current: 1, ttl: 1000 }) }
      child (): Store { return this }
    }
    t.strictSame(await assertSame(t, { options: { store: Store, keyGenerator: () => key } }, '/'), [200])
    t.equal(seen[0], key)
    t.equal(seen[1], key)
  }
})

t.test('a key that names no client counts the address in a store too, and is logged', async (t) => {
  const from = (remoteAddress: string) => ({ url: '/', remoteAddress })
  for (const key of [undefined, null, '', NaN, {}]) {
    const calls: string[] = []
    const { plugin, clock, app, log } = bareApp(t)
    await app.register(buildFastifyRateLimit(plugin, clock), { max: 1, ipv6Subnet: 48, store: storeThatTells((call) => { calls.push(call) }) as never, keyGenerator: () => key as never })
    app.get('/', async () => 'hello')
    for (const [address, status] of [['192.0.2.1', 200], ['192.0.2.2', 200], ['192.0.2.1', 429], ['2001:db8:1:2::3', 200], ['2001:db8:1:4::5', 429]] as const) {
      t.equal((await app.inject(from(address))).statusCode, status)
    }
    t.equal(calls.at(-1), 'shared 2001:db8:1:: 60000 1')
    t.match(log, [{ source: 'keyGenerator' }])
    t.equal(log.length, 1, 'once a minute at most')
  }
})

t.test('routes of one group share one store', async (t) => {
  const { run } = await createCompatSide(t, {
    options: (record) => ({ store: storeThatTells(record) }),
    routes (app: FastifyInstance) {
      for (const url of ['/a', '/b']) app.get(url, createRouteConfig({ max: 2, groupId: 'g' }), async () => 'own')
    }
  })
  t.strictSame((await run('/a', '/b', '/a')).map(({ status }) => status), [200, 200, 429])
})
