// Stores of the original's kind, under both plugins.
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { assertDifferent, createRouteConfig, getDecorators, createCompatSide, assertSame, repeatStep } from './side-by-side.js'

type Callback = (error: Error | null, result?: { current: number, ttl: number }) => void

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
function storeThat (answer: (callback: Callback) => void) {
  return class Store {
    incr (_key: string, callback: Callback): void { answer(callback) }
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

const SECRET = 'ERR the password hunter2 is wrong'

t.test('what a store says goes to no client', async (t) => {
  const one = { options: { store: storeThat((callback) => { callback(new Error(SECRET)) }) } }
  const { there, here } = await assertDifferent(t, one, ['/'], { there: [500], here: [503] })
  t.match(there[0].body, SECRET)
  t.notMatch(here[0].body, SECRET)
  t.match(JSON.parse(here[0].body), { statusCode: 503, message: 'Rate limits cannot be checked at present' })
})

t.test('with skipOnError a request passes, and no header says what nobody knows', async (t) => {
  const one = { options: { skipOnError: true, store: storeThat((callback) => { callback(new Error(SECRET)) }) } }
  const { there, here } = await assertDifferent(t, one, ['/'], { there: [200], here: [200] })
  t.equal(there[0].headers['x-ratelimit-remaining'], '1000')
  t.equal(here[0].headers['x-ratelimit-remaining'], undefined)
})

for (const [skipOnError, status] of [[true, 200], [false, 503]] as const) {
  t.test(`a store that never answers is waited for no longer than the deadline, skipOnError: ${skipOnError}`, async (t) => {
    const { run } = await createCompatSide(t, { options: { skipOnError, deadline: 20, store: storeThat(() => {}) } })
    t.equal((await run('/'))[0].status, status)
  })
}

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

t.test('a look needs a store that can', async (t) => {
  const { run } = await createCompatSide(t, {
    options: { store: storeThat((callback) => { callback(null, { current: 1, ttl: 1 }) }) },
    routes (app: FastifyInstance) {
      const check = getDecorators(app).createRateLimit()
      app.get('/look', createRouteConfig(false), async (request) => await check(request, { increment: false }))
    }
  })
  t.equal((await run('/look'))[0].status, 503)
})
