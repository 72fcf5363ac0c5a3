// When a slot is given back: every way in which a request ends, over real connections.
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import websocket from '@fastify/websocket'
import fastify, { type FastifyInstance, type RouteHandlerMethod } from 'fastify'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { buildRateLimitPlugin } from '../../lib/plugin/plugin.js'
import { systemClock } from '../../lib/common/clock.js'
import { shareRedis } from '../fixtures/redis-server.js'
import { sleep, until } from '../fixtures/until.js'

const MAX = 3
const OPTIONS: RateLimitOptions = { max: 100_000, timeWindow: 1000, concurrency: { max: MAX, by: 'global' }, metrics: false, health: false }

interface Served {
  readonly app: FastifyInstance
  readonly port: number
  /** Slots that are free. */
  left (): Promise<number>
}

async function serve (t: Test, routes: (app: FastifyInstance) => void, options: RateLimitOptions = OPTIONS, http2 = false): Promise<Served> {
  const app = (http2 ? fastify({ http2: true }) : fastify()) as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(buildRateLimitPlugin(systemClock), options)
  routes(app)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as { port: number }
  return {
    app,
    port,
    async left () {
      const { statusCode, body } = await app.inject('/left')
      // The request itself holds a slot.
      return statusCode === 503 ? 0 : Number(body) + 1
    }
  }
}

const leftRoute = (app: FastifyInstance) => {
  app.get('/left', async ({ rateLimit }) => String(rateLimit?.standings.at(-1)?.remaining))
}

async function get (port: number, path: string, method = 'GET'): Promise<number | undefined> {
  const [response]: IncomingMessage[] = await once(request({ port, host: '127.0.0.1', path, method, agent: false }).end(), 'response')
  response.resume()
  await once(response, 'close').catch(() => {})
  return response.statusCode
}

const allFree = (served: Served, what: string) => until(what, 5000, async () => await served.left() === MAX)

async function * parts (failsAfter: number): AsyncGenerator<string> {
  for (let i = 0; i < 3; i++) {
    if (i === failsAfter) throw new Error('the source failed')
    yield 'part'
    await sleep(1)
  }
}

const HANDLERS: Readonly<Record<string, RouteHandlerMethod>> = {
  text: async () => 'hello',
  stream: async (_, reply) => reply.send(Readable.from(parts(9))),
  'stream-that-fails': async (_, reply) => reply.send(Readable.from(parts(2))),
  throws: async () => { throw new Error('no') },
  204: async (_, reply) => reply.code(204).send(),
  hijacked: async (_, reply) => {
    reply.hijack()
    reply.raw.end('mine')
  },
  'not-found': async (_, reply) => { reply.callNotFound() },
  large: async () => Buffer.alloc(3_000_000)
}

function addRoutes (app: FastifyInstance): void {
  leftRoute(app)
  for (const [name, handler] of Object.entries(HANDLERS)) app.get(`/${name}`, handler)
  app.get('/hangs', async () => { await new Promise(() => {}) })
  app.get('/guarded', { preHandler: async (request, reply) => { await app.rateLimit.guard({ groupId: 'g', max: 1000, timeWindow: 1000, concurrency: { max: 5 } })(request, reply) } }, async () => 'ok')
  app.get('/later', { config: { rateLimit: { hook: 'preHandler' } } }, async () => 'ok')
  app.get('/early', { config: { rateLimit: { hook: 'preHandler' } }, preValidation: async (_, reply) => reply.code(401).send('no') }, async () => 'ok')
}

const PATHS = [...Object.keys(HANDLERS), 'guarded', 'later', 'early', 'unknown']

t.test('each way to end gives the slot back, once', async (t) => {
  const served = await serve(t, addRoutes)
  for (const name of PATHS) {
    for (let i = 0; i < MAX + 2; i++) await get(served.port, `/${name}`).catch(() => {})
    await until(name, 5000, async () => await served.left() === MAX)
    t.pass(name)
  }
  for (const name of ['text', 'stream']) await get(served.port, `/${name}`, 'HEAD')
  await allFree(served, 'HEAD')
})

t.test('a connection that is closed early gives it back', async (t) => {
  const served = await serve(t, addRoutes)
  for (const path of ['/hangs', '/large', '/stream']) {
    const sockets = Array.from({ length: MAX }, () => connect(served.port))
    for (const socket of sockets) socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    if (path === '/hangs') {
      await until('slots are held', 5000, async () => await served.left() === 0)
      t.equal(await get(served.port, '/text'), 503)
    }
    for (const socket of sockets) socket.destroy()
    await allFree(served, path)
  }
})

t.test('pipelined requests give theirs back, also when the connection is lost', async (t) => {
  const served = await serve(t, addRoutes)
  const socket = connect(served.port)
  socket.write('GET /hangs HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(MAX))
  await until('slots are held', 5000, async () => await served.left() === 0)
  socket.destroy()
  await allFree(served, 'pipelined')
})

t.test('a WebSocket holds its slot until it is closed, whoever closes it', async (t) => {
  const served = await serve(t, (app) => {
    leftRoute(app)
    app.register(websocket)
    app.register(async (scope) => {
      scope.get('/socket', { websocket: true }, () => {})
      scope.get('/dropped', { websocket: true }, (socket) => { setTimeout(() => { socket.terminate() }, 100) })
    })
  })
  const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }
  const open = async (path: string): Promise<Socket> => {
    const [, socket] = await once(request({ port: served.port, host: '127.0.0.1', path, headers }).end(), 'upgrade') as [IncomingMessage, Socket]
    return socket.on('error', () => {})
  }
  const first = await open('/socket')
  t.equal(await served.left(), MAX - 1)
  await open('/dropped')
  await until('the server closed one', 5000, async () => await served.left() === MAX - 1)
  first.destroy()
  await allFree(served, 'the client closed the other')
})

t.test('HTTP/2: a stream gives its slot back, complete or reset', async (t) => {
  const served = await serve(t, addRoutes, OPTIONS, true)
  const session = connectHttp2(`http://127.0.0.1:${served.port}`)
  t.teardown(() => { session.destroy() })
  const ask = (path: string) => session.request({ ':path': path })
  for (const path of ['/text', '/stream', '/large', '/throws']) {
    const stream = ask(path)
    stream.resume()
    await once(stream, 'close')
  }
  await allFree(served, 'complete')
  const hanging = [ask('/hangs'), ask('/hangs')]
  await until('slots are held', 5000, async () => await served.left() === MAX - 2)
  for (const stream of hanging) stream.destroy()
  await allFree(served, 'reset')
})

t.test('with Redis, a heartbeat keeps slots beyond the lease, and all of them return', async (t) => {
  const { url } = await shareRedis()
  const served = await serve(t, addRoutes, { ...OPTIONS, name: 'ends', redis: url, keyPrefix: 'slot-ends:', concurrency: { max: MAX, by: 'global', lease: '1s' } })
  const pending = Array.from({ length: 2 }, () => request({ port: served.port, host: '127.0.0.1', path: '/hangs' }).on('error', () => {}).end())
  await until('slots are held', 5000, async () => await served.left() === MAX - 2)
  await sleep(1500)
  t.equal(await served.left(), MAX - 2, 'a heartbeat keeps them beyond the lease')
  for (const one of pending) one.destroy()
  await allFree(served, 'aborted')
  await Promise.all(Array.from({ length: 20 }, () => get(served.port, '/text')))
  await allFree(served, 'text')
})
