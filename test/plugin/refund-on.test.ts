// Responses that cost nothing after all.
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import type { FastifyInstance, RouteHandlerMethod } from 'fastify'
import t, { type Test } from 'tap'
import type { RouteRateLimit } from '../../lib/index.js'
import { bareApp, limitedApp, remainders, SECOND, statuses } from '../fixtures/app.js'
import { until } from '../fixtures/until.js'

const MAX = 10
const SOON_MS = 10_000

const left = async (app: FastifyInstance) => (await app.rateLimit.peek('ip:127.0.0.1'))[0].remaining

async function appWith (t: Test, handler: RouteHandlerMethod, options: RouteRateLimit) {
  const parts = bareApp(t)
  await parts.app.register(parts.plugin, { max: MAX, timeWindow: '1 hour', ...options })
  parts.app.route({ method: ['GET', 'HEAD'], url: '/', exposeHeadRoute: false, handler })
  return parts
}

t.test('a login that counts failures only: who knows his password is never refused, who guesses is', async (t) => {
  const { app } = await limitedApp(t, {})
  app.post('/login', { config: { rateLimit: { max: 3, timeWindow: '1 hour', refundOn: ['2xx'] } } }, async (request, reply) => {
    return request.body === 'secret' ? 'welcome' : reply.code(401).send()
  })
  const login = (payload: string) => ({ method: 'POST', url: '/login', payload, headers: { 'content-type': 'text/plain' } } as const)
  t.strictSame(await statuses(app, 20, login('secret')), Array(20).fill(200))
  t.strictSame(await statuses(app, 2, login('guess')), [401, 401])
  t.strictSame(await statuses(app, 5, login('secret')), Array(5).fill(200))
  t.strictSame(await statuses(app, 3, login('guess')), [401, 429, 429])
  t.strictSame(await statuses(app, 1, login('secret')), [429])
})

const kinds: ReadonlyArray<{ readonly refundOn: RouteRateLimit['refundOn'], readonly free: readonly number[], readonly counted: readonly number[] }> = [
  { refundOn: ['2xx'], free: [200, 201, 204, 299], counted: [304, 400, 404, 500] },
  { refundOn: [304, '404'], free: [304, 404], counted: [200, 303, 305, 405] },
  { refundOn: ['4xx', '5XX', 200], free: [200, 400, 499, 500, 503], counted: [201, 302] },
  { refundOn: [], free: [], counted: [200, 404, 500] }
]

for (const { refundOn, free, counted } of kinds) {
  t.test(`refundOn ${JSON.stringify(refundOn)} gives back what it says, and nothing else`, async (t) => {
    const { app } = await appWith(t, async ({ headers }, reply) => reply.code(Number(headers.status)).send(), { refundOn })
    const ask = (status: number) => app.inject({ url: '/', headers: { status: String(status) } })
    for (const status of free) {
      await ask(status)
      t.equal(await left(app), MAX, String(status))
    }
    for (const [i, status] of counted.entries()) {
      await ask(status)
      t.equal(await left(app), MAX - 1 - i, String(status))
    }
  })
}

t.test('a refusal gives nothing back, whatever its status', async (t) => {
  const { app } = await appWith(t, async (_, reply) => reply.code(302).send(), { max: 1, refundOn: ['4xx'] })
  t.strictSame(await statuses(app, 3), [302, 429, 429])
  t.equal(await left(app), 0)
})

async function * parts (failsAfter: number): AsyncGenerator<string> {
  for (let i = 0; i < 3; i++) {
    if (i === failsAfter) throw new Error('the source failed')
    yield 'part'
  }
}

const endings: ReadonlyArray<{ readonly title: string, readonly handler: RouteHandlerMethod, readonly isFree: boolean, readonly method?: 'HEAD' }> = [
  { title: 'a text', handler: async () => 'hello', isFree: true },
  { title: 'a HEAD', method: 'HEAD', handler: async () => 'hello', isFree: true },
  { title: 'a stream that is read to its end', handler: async (_, reply) => reply.send(Readable.from(parts(9))), isFree: true },
  { title: 'a stream that breaks off, though its status was 200', handler: async (_, reply) => reply.send(Readable.from(parts(2))), isFree: false },
  { title: 'a handler that throws', handler: async () => { throw new Error('no') }, isFree: false },
  { title: 'a handler that throws a 2xx, so to say', handler: async () => { throw Object.assign(new Error('no'), { statusCode: 299 }) }, isFree: false },
  {
    title: 'a hijacked reply that is ended',
    handler: async (_, reply) => {
      reply.hijack()
      reply.raw.writeHead(201).end('hello')
    },
    isFree: true
  },
  {
    title: 'a hijacked reply that fails',
    handler: async (_, reply) => {
      reply.hijack()
      reply.raw.writeHead(500).end()
    },
    isFree: false
  },
  {
    title: 'a hijacked reply that is cut off',
    handler: async (_, reply) => {
      reply.hijack()
      reply.raw.writeHead(200)
      reply.raw.write('hel')
      reply.raw.destroy()
    },
    isFree: false
  },
  { title: 'a response that is destroyed', handler: (_, reply) => { reply.raw.destroy() }, isFree: false }
]

for (const { title, handler, isFree, method } of endings) {
  t.test(`${title} ${isFree ? 'costs nothing' : 'is counted'}`, async (t) => {
    const { app } = await appWith(t, handler, { refundOn: ['2xx'], cost: 3 })
    await app.inject({ url: '/', method }).catch(() => {})
    await new Promise((resolve) => { setImmediate(resolve) })
    t.equal(await left(app), isFree ? MAX : MAX - 3)
  })
}

const connections = async (app: FastifyInstance) => await new Promise<number>((resolve) => { app.server.getConnections((_error, count) => { resolve(count) }) })

t.test('over sockets: a client who leaves before, or in the midst of, his 200 has paid for it', async (t) => {
  const { app } = await appWith(t, async ({ headers }) => {
    if (headers.wait !== undefined) return await new Promise(() => {})
    return Buffer.alloc(30_000_000)
  }, { refundOn: ['2xx'] })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const open = (header = '') => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    t.teardown(() => socket.destroy())
    socket.write(`GET / HTTP/1.1\r\nhost: a\r\n${header}\r\n`)
    return socket
  }
  const early = open('wait: 1\r\n')
  await until('it is charged', SOON_MS, async () => await left(app) === MAX - 1)
  early.destroy()
  const midway = open()
  await once(midway, 'data')
  midway.resetAndDestroy()
  const whole = open('connection: close\r\n').resume()
  await once(whole, 'close')
  await until('both are over', SOON_MS, async () => await connections(app) === 0)
  t.equal(await left(app), MAX - 2, 'only the one that was read to its end came back')
})

t.test('what was given back by hand does not come back a second time', async (t) => {
  const { app } = await appWith(t, async (request) => {
    for (let i = 0; i < 5; i++) request.rateLimit?.refund(3)
  }, { refundOn: ['2xx'], cost: 4 })
  app.get('/paid', { config: { rateLimit: { refundOn: [], cost: 6 } } }, async () => 'paid')
  t.strictSame(await remainders(app, '/paid', '/', '/'), [4, 0, 0])
  t.equal(await left(app), 4, 'of the same buckets')
})

t.test('what was charged afterwards is paid, though the request itself was free', async (t) => {
  const { app } = await appWith(t, async (request) => { request.rateLimit?.charge(4) }, { refundOn: ['2xx'] })
  await app.inject('/')
  t.equal(await left(app), MAX - 4)
})

t.test('each of several limits gets its units back', async (t) => {
  const { app } = await limitedApp(t, {
    refundOn: ['2xx'],
    limits: [
      { name: 'bucket', max: 5, timeWindow: '1 hour' },
      { name: 'sliding', max: 5, timeWindow: '1 hour', algorithm: 'sliding-window' },
      { name: 'fixed', max: 5, timeWindow: '1 hour', algorithm: 'fixed-window' },
      { name: 'trial', max: 5, timeWindow: '1 hour', mode: 'shadow' }
    ]
  })
  t.strictSame(await statuses(app, 12), Array(12).fill(200))
  t.strictSame((await app.rateLimit.peek('ip:127.0.0.1')).map(({ remaining }) => remaining), [5, 5, 5, 5])
})

t.test('what came back by itself is not given a second time', async (t) => {
  const { app, clock } = await appWith(t, async ({ url }) => { if (url === '/') clock.advance(10 * SECOND) }, { max: 1, timeWindow: '5s', refundOn: ['2xx'] })
  app.get('/paid', { config: { rateLimit: { refundOn: [] } } }, async () => await left(app))
  await app.inject('/')
  t.strictSame(await statuses(app, 2, '/paid'), [200, 429])
})

t.test('two policies on one request give back each its own', async (t) => {
  const { app } = await limitedApp(t, { max: MAX, timeWindow: '1 hour', refundOn: ['2xx'] })
  app.get<{ Params: { status: string } }>('/guarded/:status', { preHandler: app.rateLimit({ groupId: 'guarded', max: 5, timeWindow: '1 hour', refundOn: ['4xx'] }) }, async ({ params }, reply) => {
    return reply.code(Number(params.status)).send()
  })
  const both = async () => (await app.rateLimit.peek('ip:127.0.0.1')).map(({ remaining }) => remaining)
  await app.inject('/guarded/200')
  t.strictSame(await both(), [MAX, 4])
  await app.inject('/guarded/404')
  t.strictSame(await both(), [MAX - 1, 4])
})
