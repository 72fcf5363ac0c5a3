// Every function of the options may answer with a promise. One table for all of them, so that none is forgotten.
import type { TSchema } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import { RateLimitOptionsSchema, type RateLimitOptions } from '../../lib/index.js'
import { limitedApp } from '../fixtures/app.js'

type Answer = () => unknown

// The timer of a deadline does not keep a process alive, and neither does `inject`.
const alive = setInterval(() => {}, 1000)
t.teardown(() => { clearInterval(alive) })

interface Row {
  /** The name in the log; `null` where a wrong value is ignored. */
  readonly source: string
  readonly options: (answer: Answer) => object
  /** A right answer, and what it does to a request. */
  readonly right: unknown
  readonly done: unknown
  readonly wrong: unknown
  /** What a request meets where the function fails. */
  readonly fallback: unknown
  readonly observe: (app: FastifyInstance) => Promise<unknown>
  readonly isResultIgnored?: boolean
}

const headerOf = (name: string) => async (app: FastifyInstance) => (await app.inject('/')).headers[name]
const clientOf = async (app: FastifyInstance) => (await app.inject('/client')).body
const statusOf = async (app: FastifyInstance) => (await app.inject('/')).statusCode

const rows: Readonly<Record<string, Row>> = {
  max: { source: 'limit', options: (max) => ({ max }), right: 2, done: '2', wrong: '2', fallback: '1000', observe: headerOf('x-ratelimit-limit') },
  timeWindow: { source: 'limit', options: (timeWindow) => ({ max: 1, timeWindow }), right: '1 hour', done: '3600', wrong: {}, fallback: '60', observe: headerOf('x-ratelimit-reset') },
  cost: { source: 'cost', options: (cost) => ({ max: 10, cost }), right: 3, done: '7', wrong: '3', fallback: '9', observe: headerOf('x-ratelimit-remaining') },
  keyGenerator: { source: 'keyGenerator', options: (keyGenerator) => ({ keyGenerator }), right: 'k', done: 'key:k', wrong: {}, fallback: 'ip:127.0.0.1', observe: clientOf },
  custom: {
    source: 'identify',
    options: (custom) => ({ identify: { custom } }),
    right: { id: '42' },
    done: 'user:42',
    wrong: '42',
    fallback: 'ip:127.0.0.1',
    observe: clientOf
  },
  when: { source: 'exempt', options: (when) => ({ exempt: { when } }), right: true, done: undefined, wrong: 1, fallback: '1000', observe: headerOf('x-ratelimit-limit') },
  errorResponseBuilder: {
    source: 'errorResponseBuilder',
    options: (errorResponseBuilder) => ({ max: 0, errorResponseBuilder }),
    right: { own: true },
    done: 'application/json; charset=utf-8',
    wrong: 5,
    fallback: 'application/problem+json; charset=utf-8',
    observe: headerOf('content-type')
  },
  onExceeding: { source: 'onExceeding', options: (onExceeding) => ({ onExceeding }), right: undefined, done: 200, wrong: 5, fallback: 200, observe: statusOf, isResultIgnored: true },
  onExceeded: { source: 'onExceeded', options: (onExceeded) => ({ max: 0, onExceeded }), right: undefined, done: 429, wrong: 5, fallback: 429, observe: statusOf, isResultIgnored: true },
  onBlocked: {
    source: 'onBlocked',
    options: (onBlocked) => ({ max: 1, timeWindow: '1 hour', penalty: { strikes: 1 }, onBlocked }),
    right: undefined,
    done: 429,
    wrong: 5,
    fallback: 429,
    observe: async (app) => { await statusOf(app); return await statusOf(app) },
    isResultIgnored: true
  }
}

/** The names of all functions in a schema. */
function functionNames (schema: TSchema, name = ''): string[] {
  if (schema.type === 'Function') return [name]
  const inside: ReadonlyArray<readonly [string, TSchema]> = [
    ...Object.entries<TSchema>(schema.properties ?? {}),
    ...Object.values<TSchema>(schema.patternProperties ?? {}).map((value) => [name, value] as const),
    ...(schema.anyOf ?? []).map((value: TSchema) => [name, value] as const),
    ...(schema.items === undefined ? [] : [[name, schema.items] as const])
  ]
  return inside.flatMap(([key, value]) => functionNames(value, key))
}

t.test('the table has every function of the options', async (t) => {
  t.strictSame([...new Set(functionNames(RateLimitOptionsSchema))].sort(), Object.keys(rows).sort())
})

/** An application with this function. `deadline`: short for functions that never answer. */
async function appOf (t: Parameters<typeof limitedApp>[0], row: Row, answer: Answer, deadline = '10s') {
  const options = row.options(answer) as RateLimitOptions
  const parts = await limitedApp(t, { ...options, identify: { ...options.identify, deadline } })
  parts.app.get('/client', async (request) => request.rateLimit?.client.partition)
  return { ...parts, faults: () => parts.log.flatMap(({ source = [] }) => source) }
}

for (const [name, row] of Object.entries(rows)) {
  const right: ReadonlyArray<readonly [what: string, answer: Answer]> = [
    ['a value', () => row.right],
    ['a promise of it', async () => row.right],
    ['a late promise of it', () => new Promise((resolve) => { setImmediate(resolve, row.right) })],
    ['a thenable of it', () => ({ then: (resolve: (value: unknown) => void) => { resolve(row.right) } })]
  ]
  for (const [what, answer] of right) {
    t.test(`${name} may answer with ${what}`, async (t) => {
      const { app, faults } = await appOf(t, row, answer)
      t.equal(await row.observe(app), row.done)
      t.strictSame(faults(), [])
    })
  }

  const wrong: ReadonlyArray<readonly [what: string, answer: Answer, isIgnored?: boolean]> = [
    ['an exception', () => { throw new Error('broken') }],
    ['a rejection', async () => { throw new Error('broken') }],
    ['a late rejection', () => new Promise((_resolve, reject) => { setTimeout(reject, 60, new Error('broken')) })],
    ['a promise that never settles', () => new Promise(() => {}), row.isResultIgnored],
    ['a thenable that throws', () => ({ then () { throw new Error('broken') } })],
    ['a thenable that throws when it is looked at', () => ({ get then () { throw new Error('broken') } })],
    ['a wrong type', () => row.wrong, row.isResultIgnored],
    ['a promise of a wrong type', async () => row.wrong, row.isResultIgnored]
  ]
  for (const [what, answer, isIgnored = false] of wrong) {
    t.test(`${name} that answers with ${what} falls back, and is logged`, async (t) => {
      const { app, faults } = await appOf(t, row, answer, '20ms')
      t.equal(await row.observe(app), row.fallback)
      await new Promise((resolve) => setTimeout(resolve, what === 'a late rejection' ? 70 : 0))
      t.strictSame(faults(), isIgnored ? [] : [row.source])
    })
  }

  t.test(`${name} without a promise decides in the same turn`, async (t) => {
    const { app, plugin } = await appOf(t, row, () => row.right)
    let isSync = false
    await app.register(async (scope) => {
      await scope.register(plugin, { name: 'inner', global: false, max: 1, ...row.options(() => row.right) } as RateLimitOptions)
      const guard = scope.rateLimit.guard()
      scope.get('/sync', {
        preHandler: (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => {
          let isDone = false
          guard(request, reply, () => { isDone = true })
          isSync = isDone || reply.sent
          if (isDone) done()
        }
      }, async () => 'sync')
    }, { prefix: '/inner' })
    await app.inject('/inner/sync')
    t.ok(isSync)
  })
}

const keys: ReadonlyArray<readonly [key: unknown, partition: string]> = [
  [42, 'key:42'], [0, 'key:0'], [-1.5, 'key:-1.5'], [42n, 'key:42'], [2n ** 70n, 'key:1180591620717411303424'], ['42', 'key:42'],
  [NaN, 'ip:127.0.0.1'], [Infinity, 'ip:127.0.0.1'], ['', 'ip:127.0.0.1'], [null, 'ip:127.0.0.1'], [true, 'ip:127.0.0.1']
]
for (const [key, partition] of keys) {
  t.test(`the key ${typeof key} ${String(key)} is the partition ${partition}`, async (t) => {
    for (const answer of [() => key, async () => key]) {
      const { app } = await appOf(t, rows.keyGenerator, answer)
      t.equal(await clientOf(app), partition)
    }
  })
}

t.test('a request that ends before its hook is charged by functions with promises', async (t) => {
  const numbers = { max: async () => 10, timeWindow: async () => '1 hour', cost: async () => 3 }
  const { app } = await limitedApp(t, { hook: 'preHandler', ...numbers, exempt: { when: async ({ headers }) => headers.exempt === 'yes' } })
  app.post('/', async () => 'posted')
  const malformed = { method: 'POST', url: '/', payload: '{', headers: { 'content-type': 'application/json' } } as const
  const exempt = { ...malformed, headers: { ...malformed.headers, exempt: 'yes' } }
  for (const request of [malformed, exempt, malformed]) {
    t.equal((await app.inject(request)).statusCode, 400)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ limit: 10, remaining: 4 }])
  t.equal((await app.inject('/')).headers['x-ratelimit-remaining'], '1')
})
