// A malformed body, a 401 or a reset before the hook of its policy was never counted. Over HTTP: how a request ends matters.
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { connect, type AddressInfo } from 'node:net'
import fc from 'fast-check'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { bareApp, SECOND, type TestApp } from '../fixtures/app.js'
import { assertPropertyAsync } from '../fixtures/property.js'
import { shareRedis } from '../fixtures/redis-server.js'
import { until } from '../fixtures/until.js'

const HOOKS = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const
const JSON_TYPE = { 'content-type': 'application/json' }
const SOON_MS = 10_000
const GOOD = '{"name":"ada"}'

interface Way {
  readonly title: string
  readonly url?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly status: number
}

const WAYS: readonly Way[] = [
  { title: 'a handler that answers', headers: JSON_TYPE, body: GOOD, status: 200 },
  { title: 'a handler that throws', headers: { ...JSON_TYPE, 'x-end': 'handler' }, body: GOOD, status: 500 },
  { title: 'malformed JSON', headers: JSON_TYPE, body: '{"name"', status: 400 },
  { title: 'an empty body', headers: JSON_TYPE, body: '', status: 400 },
  { title: 'a body against the schema', headers: JSON_TYPE, body: '{"other":1}', status: 400 },
  { title: 'a body that is too large', headers: JSON_TYPE, body: JSON.stringify({ name: 'x'.repeat(2000) }), status: 413 },
  { title: 'a body of an unknown type', headers: { 'content-type': 'text/strange' }, body: GOOD, status: 415 },
  { title: 'an invalid content type', headers: { 'content-type': 'nonsense' }, body: GOOD, status: 415 },
  ...['onRequest', 'preParsing', 'preValidation', 'preHandler'].flatMap((hook) => [
    { title: `a 401 by an own ${hook} hook`, headers: { ...JSON_TYPE, 'x-end': `${hook} 401` }, body: GOOD, status: 401 },
    { title: `an error in an own ${hook} hook`, headers: { ...JSON_TYPE, 'x-end': `${hook} throw` }, body: GOOD, status: 500 }
  ]),
  { title: 'a timeout of a hook that never ends', url: '/never', status: 503 },
  { title: 'a 404 by an own hook', headers: { ...JSON_TYPE, 'x-end': 'not-found' }, body: GOOD, status: 404 },
  { title: 'a hijacked reply', headers: { ...JSON_TYPE, 'x-end': 'hijack' }, body: GOOD, status: 202 }
]

const SCHEMA = { body: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } } }

type Gate = () => Promise<void>

/** `POST /` ends in each of the ways. `gate`: requests wait for it before their first own hook. `route`: its own policy. */
async function endingApp (t: Test, options: RateLimitOptions, gate: Gate = async () => {}, route: RateLimitOptions = {}): Promise<TestApp> {
  const parts = bareApp(t, { bodyLimit: 1000, logger: false })
  await parts.app.register(parts.plugin, options)
  const end = (hook: string) => async (request: { headers: Record<string, unknown> }, reply: { code (status: number): { send (body: string): unknown } }) => {
    if (request.headers['x-end'] === `${hook} throw`) throw new Error('no')
    return request.headers['x-end'] === `${hook} 401` ? reply.code(401).send('no') : undefined
  }
  parts.app.post('/', {
    schema: SCHEMA,
    config: { rateLimit: route },
    onRequest: [gate, end('onRequest'), async (request, reply) => {
      if (request.headers['x-end'] === 'not-found') return reply.callNotFound()
      if (request.headers['x-end'] === 'hijack') reply.hijack().raw.writeHead(202).end()
      return undefined
    }],
    preParsing: end('preParsing'),
    preValidation: end('preValidation'),
    preHandler: end('preHandler')
  }, async (request) => {
    if (request.headers['x-end'] === 'handler') throw new Error('no')
    return 'hello'
  })
  parts.app.post('/never', { handlerTimeout: 50, config: { rateLimit: route }, onRequest: [gate, async () => await new Promise<void>(() => {})] }, async () => 'never')
  return parts
}

async function listen (app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

async function send (port: number, { url = '/', headers, body }: Omit<Way, 'status' | 'title'>): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${url}`, { method: 'POST', headers, body })
  await response.arrayBuffer()
  return response.status
}

for (const hook of HOOKS) {
  t.test(`${hook}: whichever way requests end, they are answered as often as the limit allows`, async (t) => {
    const { app, clock } = await endingApp(t, { max: 2, timeWindow: '1 minute', hook, algorithm: 'fixed-window' })
    const port = await listen(app)
    for (const way of WAYS) {
      const statuses: number[] = []
      for (let i = 0; i < 4; i++) statuses.push(await send(port, way))
      t.strictSame(statuses, [way.status, way.status, 429, 429], way.title)
      clock.advance(60 * SECOND)
    }
  })

  t.test(`${hook}: a connection that is reset before its body is charged`, async (t) => {
    const { app } = await endingApp(t, { max: 2, timeWindow: '1 minute', hook })
    const port = await listen(app)
    for (const left of [1, 0]) {
      const socket = connect(port, '127.0.0.1')
      socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"na')
      await once(app.server, 'request')
      socket.resetAndDestroy()
      await until('charged', SOON_MS, async () => (await app.rateLimit.peek('ip:127.0.0.1'))[0]?.remaining === left)
    }
    t.equal(await send(port, WAYS[0]), 429)
  })

  t.test(`${hook}: connections with half of a body are charged before they end`, async (t) => {
    const { app } = await endingApp(t, { max: 2, timeWindow: '1 minute', hook })
    const port = await listen(app)
    const sockets = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
    for (const socket of sockets) {
      socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"na')
      await once(app.server, 'request')
    }
    t.equal(await send(port, WAYS[0]), 429)
    for (const socket of sockets) {
      socket.write('nonse')
      const [answer] = await once(socket, 'data')
      t.match(String(answer), /^HTTP\/1.1 400/)
      socket.destroy()
    }
    t.equal(await send(port, WAYS[0]), 429)
  })
}

/** A gate that opens when so many requests have reached it or were answered, and then closes for the next ones. */
class Meeting {
  #left = 0
  #waiting: Array<() => void> = []

  readonly gate = async (): Promise<void> => {
    const opened = new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    this.#arrive()
    await opened
  }

  /** Send all requests, so that each is in flight before the first of them ends. */
  async send (port: number, ways: ReadonlyArray<Omit<Way, 'status' | 'title'>>): Promise<number[]> {
    this.#left = ways.length
    return await Promise.all(ways.map(async (way) => {
      const status = await send(port, way)
      if (this.#left > 0) this.#arrive()
      return status
    }))
  }

  #arrive (): void {
    if (--this.#left === 0) for (const open of this.#waiting.splice(0)) open()
  }
}

/** By what clients are known in the hook, and not before. */
const KEYED: Readonly<Record<string, RateLimitOptions>> = {
  'a key': { keyGenerator: (request) => String(request.headers['x-key'] ?? 'all') },
  'a user': { identify: { custom: (request) => request.body === undefined ? null : { id: String(request.headers['x-key'] ?? 'all') } } },
  'an address': {}
}

const MAX = 2
const LATER = HOOKS.slice(1)
// A hijacked reply is not sent by Fastify: nothing can be sent in its place.
const REPLACED = WAYS.filter(({ title }) => title !== 'a hijacked reply')

for (const hook of LATER) {
  for (const [known, identity] of Object.entries(KEYED)) {
    for (const place of ['plugin', 'route'] as const) {
      t.test(`${hook} of a ${place}, clients with ${known}: many requests at once are answered as often as the limit allows`, async (t) => {
        const { keyGenerator, ...options } = identity
        const policy: RateLimitOptions = { max: MAX, timeWindow: '1 minute', algorithm: 'fixed-window', keyGenerator, hook }
        const meeting = new Meeting()
        const { app, clock } = place === 'plugin'
          ? await endingApp(t, { ...options, ...policy }, meeting.gate)
          : await endingApp(t, { ...options, max: 1000, timeWindow: '1 minute' }, meeting.gate, policy)
        const port = await listen(app)
        for (const way of REPLACED) {
          const statuses = await meeting.send(port, Array.from({ length: 3 * MAX }, () => way))
          t.strictSame(statuses.sort((a, b) => a - b), [...Array(MAX).fill(way.status), ...Array(2 * MAX).fill(429)].sort((a, b) => a - b), way.title)
          clock.advance(60 * SECOND)
        }
      })
    }
  }

  t.test(`${hook}: hijacked replies at once become a debt`, async (t) => {
    const meeting = new Meeting()
    const { app } = await endingApp(t, { max: MAX, timeWindow: '1 minute', hook, ...KEYED['a key'] }, meeting.gate)
    const port = await listen(app)
    const [hijacked] = WAYS.filter(({ title }) => title === 'a hijacked reply')
    t.strictSame(await meeting.send(port, Array.from({ length: 3 * MAX }, () => hijacked)), Array(3 * MAX).fill(202))
    // A debt is at most `max - 1` units.
    t.match((await app.rateLimit.peek('ip:127.0.0.1'))[0], { remaining: 0, resetAfterMs: 90_000 })
  })

  t.test(`${hook}: clients with their own keys are not refused for others of their address`, async (t) => {
    const meeting = new Meeting()
    const { app } = await endingApp(t, { max: MAX, timeWindow: '1 minute', algorithm: 'fixed-window', hook, ...KEYED['a key'] }, meeting.gate)
    const port = await listen(app)
    const good = Array.from({ length: 12 }, (_, i) => ({ headers: { ...JSON_TYPE, 'x-key': `key-${i % 6}` }, body: GOOD }))
    t.strictSame(await meeting.send(port, good), Array(12).fill(200))
  })
}

t.test('property: in bursts of any requests, those that end early are answered as often as the address may, and each key too', async (t) => {
  // Of those that end in one hook only. In preValidation, a body has been parsed, but not validated.
  const early = WAYS.filter(({ title, status }) => [400, 413, 415].includes(status) && title !== 'a body against the schema')
  const wayOrKey = fc.oneof(fc.constantFrom(...early), fc.constantFrom('a', 'b', 'c'))
  const bursts = fc.array(fc.array(wayOrKey, { minLength: 1, maxLength: 9 }), { minLength: 1, maxLength: 3 })
  const redis = await shareRedis()
  let count = 0
  await assertPropertyAsync(fc.tuple(fc.constantFrom('preValidation', 'preHandler'), fc.boolean(), bursts), 40, async ([hook, isInRedis, bursts]) => {
    const meeting = new Meeting()
    const store: RateLimitOptions = isInRedis ? { redis: redis.url, keyPrefix: `bursts-${count++}:`, deadline: 5000 } : {}
    const limits: RateLimitOptions = { max: MAX, timeWindow: '1 hour', algorithm: 'fixed-window', hook, ...KEYED['a key'] }
    const { app } = await endingApp(t, { ...limits, ...store }, meeting.gate)
    const port = await listen(app)
    const answered = new Map<string, number>()
    let isFirst = true
    for (const burst of bursts) {
      const requests = burst.map((one) => typeof one === 'string' ? { headers: { ...JSON_TYPE, 'x-key': one }, body: GOOD } : one)
      const statuses = await meeting.send(port, requests)
      statuses.forEach((status, index) => {
        const one = burst[index]
        const who = typeof one === 'string' ? one : 'early'
        if (status !== 429) answered.set(who, (answered.get(who) ?? 0) + 1)
      })
      // Later, an address without units refuses those that have a key, too.
      if (isFirst) for (const key of ['a', 'b', 'c']) t.equal(answered.get(key) ?? 0, Math.min(MAX, burst.filter((one) => one === key).length))
      isFirst = false
    }
    for (const [who, times] of answered) if (times > MAX) t.fail(`${who} was answered ${times} times`)
    await app.close()
  })
})

for (const place of ['plugin', 'route'] as const) {
  t.test(`of a ${place}: a refusal in place of a response has its own headers and body, and ends the stream of the response`, async (t) => {
    const policy: RateLimitOptions = { max: 1, timeWindow: '1 minute', hook: 'preHandler', keyGenerator: (request) => String(request.headers['x-key']) }
    const { app, plugin } = bareApp(t)
    await app.register(plugin, place === 'plugin' ? policy : { max: 1000 })
    const streams: Readable[] = []
    let isOpen: (() => void) | null = null
    const opened = new Promise<void>((resolve) => { isOpen = resolve })
    app.get('/', {
      config: { rateLimit: place === 'plugin' ? {} : policy },
      onRequest: async (_request, reply) => {
        const stream = Readable.from(['not ', 'this'])
        if (streams.push(stream) === 2) isOpen?.()
        await opened
        return reply.code(401).headers({ 'content-length': 8, 'content-encoding': 'identity' }).send(stream)
      }
    }, async () => 'never')
    const [first, second] = await Promise.all([app.inject('/'), app.inject('/')])
    t.equal(first.statusCode, 401)
    t.equal(first.body, 'not this')
    t.equal(second.statusCode, 429)
    t.match(second.headers, { 'content-type': /problem\+json/, 'retry-after': '60', 'x-ratelimit-remaining': '0', 'cache-control': 'no-store' })
    t.equal(second.headers['content-encoding'], undefined)
    t.equal(second.json().status, 429)
    t.ok(streams.every(({ destroyed }) => destroyed))
  })
}

t.test('an own error in place of a response is sent by the error handler of the application', async (t) => {
  const { app, plugin } = bareApp(t)
  const errorResponseBuilder = () => Object.assign(new Error('slow down'), { statusCode: 429 })
  await app.register(plugin, { max: 1, timeWindow: '1 minute', hook: 'preHandler', keyGenerator: () => 'all', errorResponseBuilder })
  app.setErrorHandler((error: Error, _request, reply) => reply.send({ own: error.message }))
  let isOpen: (() => void) | null = null
  const opened = new Promise<void>((resolve) => { isOpen = resolve })
  let count = 0
  app.get('/', {
    onRequest: async (_request, reply) => {
      if (++count === 2) isOpen?.()
      await opened
      return reply.code(401).send('no')
    }
  }, async () => 'never')
  const [first, second] = await Promise.all([app.inject('/'), app.inject('/')])
  t.equal(first.statusCode, 401)
  t.equal(second.statusCode, 429)
  t.strictSame(second.json(), { own: 'slow down' })
})
