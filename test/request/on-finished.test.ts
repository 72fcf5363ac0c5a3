// Every way in which a response ends, over real sockets, HTTP/2 and injection: told once, and told right.
import { once } from 'node:events'
import { ServerResponse } from 'node:http'
import { connect as connectHttp2, constants } from 'node:http2'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import fastify, { type FastifyInstance, type RouteHandlerMethod } from 'fastify'
import t, { type Test } from 'tap'
import { onFinished, type ResponseEnd } from '../../lib/request/on-finished.js'
import { until } from '../fixtures/until.js'

const LARGE = 30_000_000
const SOON_MS = 10_000

type Way = 'http' | 'http2' | 'inject'
/** When the client leaves: not at all, while the handler is at work, or with the first bytes of the body. */
type Leaves = 'never' | 'early' | 'midway'

interface Ending {
  readonly title: string
  readonly handler: RouteHandlerMethod
  readonly failsOnSend?: boolean
  readonly method?: 'GET' | 'HEAD' | 'POST'
  readonly leaves?: Leaves
  readonly ways?: readonly Way[]
  readonly told: ResponseEnd
}

const turn = () => new Promise((resolve) => { setImmediate(resolve) })

async function * parts (failsAfter: number): AsyncGenerator<string> {
  for (let i = 0; i < 3; i++) {
    if (i === failsAfter) throw new Error('the source failed')
    await turn()
    yield 'part'
  }
}

const complete = (status: number): ResponseEnd => ({ isComplete: true, status })
const broken = (status: number | null): ResponseEnd => ({ isComplete: false, status })

const endings: readonly Ending[] = [
  { title: 'a text', handler: async () => 'hello', told: complete(200) },
  { title: 'the answer to a body', method: 'POST', handler: async (request) => ({ got: request.body }), told: complete(200) },
  { title: 'a large body', handler: async () => Buffer.alloc(LARGE), told: complete(200) },
  { title: 'a HEAD', method: 'HEAD', handler: async () => 'hello', told: complete(200) },
  { title: 'a HEAD of a stream', method: 'HEAD', handler: async (_, reply) => reply.send(Readable.from(parts(9))), told: complete(200) },
  { title: '204', handler: async (_, reply) => reply.code(204).send(), told: complete(204) },
  { title: '304', handler: async (_, reply) => reply.code(304).send(), told: complete(304) },
  { title: 'a handler that throws', handler: async () => { throw new Error('no') }, told: complete(500) },
  { title: 'an onSend hook that throws', failsOnSend: true, handler: async () => 'hello', told: complete(500) },
  { title: 'a stream', handler: async (_, reply) => reply.send(Readable.from(parts(9))), told: complete(200) },
  { title: 'a stream that fails at once', handler: async (_, reply) => reply.send(Readable.from(parts(0))), told: complete(500) },
  { title: 'a stream that fails later', handler: async (_, reply) => reply.send(Readable.from(parts(2))), told: broken(200) },
  {
    title: 'a hijacked reply that is ended',
    handler: async (_, reply) => {
      reply.hijack()
      reply.raw.writeHead(201)
      reply.raw.end('hello')
    },
    told: complete(201)
  },
  {
    title: 'a hijacked reply that is destroyed',
    handler: async (_, reply) => {
      reply.hijack()
      reply.raw.destroy()
    },
    told: broken(null)
  },
  {
    title: 'a hijacked reply that is destroyed midway',
    handler: async (_, reply) => {
      reply.hijack()
      reply.raw.writeHead(201)
      reply.raw.write('hel')
      reply.raw.destroy()
    },
    told: broken(201)
  },
  { title: 'a reply whose response is destroyed', handler: (_, reply) => { reply.raw.destroy() }, told: broken(null) },
  { title: 'a connection that the application cuts', ways: ['http', 'http2'], handler: (request) => { request.raw.socket.destroy() }, told: broken(null) },
  {
    title: 'a connection that the application cuts before all is written',
    ways: ['http', 'http2'],
    handler: async (request, reply) => {
      reply.hijack()
      for (let i = 0; i < 300; i++) reply.raw.write(Buffer.alloc(LARGE / 300))
      reply.raw.end()
      request.raw.socket.destroy()
    },
    told: broken(200)
  },
  { title: 'a client that leaves before the answer', leaves: 'early', handler: () => {}, told: broken(null) },
  { title: 'a client that leaves before the answer to its HEAD', method: 'HEAD', leaves: 'early', handler: () => {}, told: broken(null) },
  { title: 'a client that leaves in the middle of a body', leaves: 'midway', ways: ['http', 'http2'], handler: async () => Buffer.alloc(LARGE), told: broken(200) },
  {
    title: 'a client that leaves in the middle of many writes',
    leaves: 'midway',
    ways: ['http', 'http2'],
    handler: async (_, reply) => {
      reply.hijack()
      for (let i = 0; i < 300; i++) reply.raw.write(Buffer.alloc(LARGE / 300))
      reply.raw.end()
    },
    told: broken(200)
  },
  {
    title: 'a client that leaves in the middle of a stream',
    leaves: 'midway',
    ways: ['http', 'http2'],
    handler: async (_, reply) => {
      let isBegun = false
      return reply.send(new Readable({
        read () {
          if (!isBegun) this.push('part')
          isBegun = true
        }
      }))
    },
    told: broken(200)
  }
]

interface Watched {
  readonly app: FastifyInstance
  /** What was told so far, of all requests. */
  readonly told: readonly ResponseEnd[]
  /** Resolved when a handler is at work. */
  readonly isHandling: Promise<void>
}

function watchedApp (t: Test, { handler, failsOnSend = false }: Pick<Ending, 'handler' | 'failsOnSend'>, isHttp2 = false): Watched {
  // Both kinds of server have the same methods for all that is done with them here.
  const app: FastifyInstance = isHttp2 ? fastify({ http2: true }) as unknown as FastifyInstance : fastify()
  t.teardown(() => app.close())
  const told: ResponseEnd[] = []
  let begin = () => {}
  const isHandling = new Promise<void>((resolve) => { begin = resolve })
  app.addHook('onRequest', async (_, reply) => { onFinished(reply, (settlement) => { told.push(settlement) }) })
  app.addHook('preHandler', async () => { setImmediate(begin) })
  app.route({
    method: ['GET', 'HEAD', 'POST'],
    url: '/',
    exposeHeadRoute: false,
    ...(failsOnSend && { onSend: async () => { throw new Error('no') } }),
    handler
  })
  return { app, told, isHandling }
}

async function listen (app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

function client (t: Test, port: number): Socket {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  t.teardown(() => socket.destroy())
  return socket
}

const requestText = (method = 'GET', path = '/', header = '') => method === 'POST'
  ? `POST ${path} HTTP/1.1\r\nhost: a\r\n${header}content-type: application/json\r\ncontent-length: 2\r\n\r\n{}`
  : `${method} ${path} HTTP/1.1\r\nhost: a\r\n${header}\r\n`

async function overHttp (t: Test, { app, isHandling }: Watched, { method, leaves }: Ending, leave: (socket: Socket) => void): Promise<void> {
  const socket = client(t, await listen(app))
  socket.write(requestText(method))
  if (leaves === 'midway') await once(socket, 'data')
  else socket.resume()
  if (leaves === 'early') await isHandling
  if (leaves !== undefined) leave(socket)
}

async function overHttp2 (t: Test, { app, isHandling }: Watched, { method = 'GET', leaves }: Ending): Promise<void> {
  const session = connectHttp2(`http://127.0.0.1:${await listen(app)}`).on('error', () => {})
  t.teardown(() => session.destroy())
  const stream = session.request({ ':path': '/', ':method': method, ...(method === 'POST' && { 'content-type': 'application/json' }) })
  // The server's close waits for the session's.
  stream.on('error', () => {}).on('close', () => { session.close() })
  stream.end(method === 'POST' ? '{}' : undefined)
  if (leaves === 'midway') await once(stream, 'data')
  else stream.resume()
  if (leaves === 'early') await isHandling
  if (leaves !== undefined) stream.close(constants.NGHTTP2_CANCEL)
}

async function byInjection ({ app, isHandling }: Watched, { method = 'GET', leaves }: Ending): Promise<void> {
  const aborter = new AbortController()
  const answer = app.inject({ url: '/', method, signal: aborter.signal, ...(method === 'POST' && { payload: {} }) })
  if (leaves === 'early') {
    await isHandling
    aborter.abort()
  }
  await answer.catch(() => {})
}

async function tellsOnce (t: Test, { app, told }: Watched, expected: ResponseEnd): Promise<void> {
  await until('the response is over', SOON_MS, () => told.length > 0)
  await app.close()
  await turn()
  t.strictSame(told, [expected])
}

for (const ending of endings) {
  const ways = ending.ways ?? ['http', 'http2', 'inject']
  if (ways.includes('http')) {
    t.test(`${ending.title}, over HTTP`, async (t) => {
      const watched = watchedApp(t, ending)
      await overHttp(t, watched, ending, (socket) => { socket.destroy() })
      await tellsOnce(t, watched, ending.told)
    })
  }
  if (ways.includes('http') && ending.leaves !== undefined) {
    t.test(`${ending.title}, resetting the connection`, async (t) => {
      const watched = watchedApp(t, ending)
      await overHttp(t, watched, ending, (socket) => { socket.resetAndDestroy() })
      await tellsOnce(t, watched, ending.told)
    })
  }
  if (ways.includes('http2')) {
    t.test(`${ending.title}, over HTTP/2`, async (t) => {
      const watched = watchedApp(t, ending, true)
      await overHttp2(t, watched, ending)
      await tellsOnce(t, watched, ending.told)
    })
  }
  if (ways.includes('inject')) {
    t.test(`${ending.title}, injected`, async (t) => {
      const watched = watchedApp(t, ending)
      await byInjection(watched, ending)
      await tellsOnce(t, watched, ending.told)
    })
  }
}

t.test('an answer that closes its connection is complete', async (t) => {
  const watched = watchedApp(t, { handler: async () => 'hello' })
  client(t, await listen(watched.app)).resume().write(requestText('GET', '/', 'connection: close\r\n'))
  await tellsOnce(t, watched, complete(200))
})

t.test('a client that has said all it will, and closes its half, is a client that left', async (t) => {
  const watched = watchedApp(t, { handler: () => {} })
  client(t, await listen(watched.app)).resume().end(requestText())
  await tellsOnce(t, watched, broken(null))
})

t.test('a client that leaves while nobody reads what it sends is noticed by the write that fails', async (t) => {
  const watched = watchedApp(t, { handler: async () => Buffer.alloc(LARGE) })
  const socket = client(t, await listen(watched.app))
  // Fastify reads no body of a GET, so Node.js stops reading the connection.
  socket.write(requestText('GET', '/', `content-length: ${LARGE}\r\n`))
  socket.write(Buffer.alloc(LARGE))
  await once(socket, 'data')
  socket.resetAndDestroy()
  await tellsOnce(t, watched, broken(200))
})

t.test('requests on one connection are told one by one, and leave no listener on it', async (t) => {
  const { app, told } = watchedApp(t, { handler: async () => 'hello' })
  const counts: number[] = []
  app.addHook('onRequest', async (request) => { counts.push(request.raw.socket.listenerCount('close')) })
  const socket = client(t, await listen(app)).resume()
  for (let i = 1; i <= 30; i++) {
    socket.write(requestText())
    await until('the answer', SOON_MS, () => told.length === i)
  }
  t.strictSame(told, new Array(30).fill(complete(200)))
  t.equal(new Set(counts).size, 1)
})

t.test('a response that has its socket adds no listener to the connection', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  app.get('/', async (request, reply) => {
    const { socket } = request.raw
    const before = socket.listenerCount('close')
    onFinished(reply, () => {})
    return { added: socket.listenerCount('close') - before }
  })
  const response = await fetch(`http://127.0.0.1:${await listen(app)}/`)
  t.strictSame(await response.json(), { added: 0 })
})

t.test('pipelined requests are told in order, when those before them are written', async (t) => {
  const warnings = warningsOf(t)
  const { app, told } = watchedApp(t, { handler: async (request, reply) => reply.code(Number(request.headers.status)).send('hello') })
  const socket = client(t, await listen(app)).resume()
  const statuses = Array.from({ length: 40 }, (_, i) => 200 + i)
  socket.write(statuses.map((status) => requestText('GET', '/', `status: ${status}\r\n`)).join(''))
  await until('all answers', SOON_MS, () => told.length === statuses.length)
  t.strictSame(told, statuses.map(complete))
  socket.destroy()
  await app.close()
  t.equal(told.length, statuses.length, 'and the end of the connection tells nothing more')
  t.strictSame(warnings, [])
})

t.test('a client that leaves ends the requests that it had pipelined, too', async (t) => {
  const warnings = warningsOf(t)
  const { app, told } = watchedApp(t, { handler: () => {} })
  let begun = 0
  app.addHook('preHandler', async () => { begun++ })
  const socket = client(t, await listen(app))
  // The body of a POST is read at once: its request hears nothing of the connection any more.
  socket.write([...new Array(20).fill('GET'), ...new Array(20).fill('POST')].map((method) => requestText(method)).join(''))
  await until('all handlers are at work', SOON_MS, () => begun === 40)
  t.strictSame(told, [])
  socket.destroy()
  await until('all are over', SOON_MS, () => told.length === 40)
  await app.close()
  t.strictSame(told, new Array(40).fill(broken(null)))
  t.strictSame(warnings, [])
})

t.test('a handshake that is answered without the server, as by a WebSocket plugin, is told', async (t) => {
  const watched = watchedApp(t, { handler: async (_, reply) => reply.code(403).send('no') })
  watched.app.server.on('upgrade', (message, socket) => {
    const response = new ServerResponse(message)
    response.assignSocket(socket as never)
    response.on('finish', () => socket.end())
    watched.app.routing(message, response)
  })
  client(t, await listen(watched.app)).resume().write(requestText('GET', '/', 'connection: upgrade\r\nupgrade: websocket\r\n'))
  await tellsOnce(t, watched, complete(403))
})

t.test('many who ask about one response share its listeners, and each is told once', async (t) => {
  const warnings = warningsOf(t)
  const { app } = watchedApp(t, { handler: async () => 'hello' })
  const told: string[] = []
  const counts: number[] = []
  app.addHook('preHandler', async (_, reply) => {
    for (let i = 0; i < 50; i++) {
      onFinished(reply, ({ status }) => { told.push(`${i}: ${status}`) })
      counts.push(reply.raw.listenerCount('close') + reply.raw.listenerCount('finish'))
    }
  })
  await app.inject('/')
  await turn()
  t.strictSame(told, Array.from({ length: 50 }, (_, i) => `${i}: 200`))
  t.equal(new Set(counts).size, 1)
  t.strictSame(warnings, [])
})

t.test('one who asks when the response was told already is told too', async (t) => {
  const { app } = watchedApp(t, { handler: async () => 'hello' })
  const told: ResponseEnd[] = []
  app.addHook('onRequest', async (_, reply) => {
    onFinished(reply, () => {
      onFinished(reply, (settlement) => { told.push(settlement) })
      t.strictSame(told, [], 'but not from within the call')
    })
  })
  await app.inject('/')
  await turn()
  t.strictSame(told, [complete(200)])
})

for (const isHttp2 of [false, true]) {
  t.test(`one who first asks when the client has left is told, over HTTP${isHttp2 ? '/2' : ''}`, async (t) => {
    const app: FastifyInstance = isHttp2 ? fastify({ http2: true }) as unknown as FastifyInstance : fastify()
    t.teardown(() => app.close())
    const told: ResponseEnd[] = []
    let begin = () => {}
    const isHandling = new Promise<void>((resolve) => { begin = resolve })
    app.get('/', (request, reply) => {
      begin()
      request.raw.once('close', () => {
        // The store took its time, say.
        setImmediate(() => setImmediate(() => { onFinished(reply, (settlement) => { told.push(settlement) }) }))
      })
    })
    const watched: Watched = { app, told, isHandling }
    const ending: Ending = { title: '', handler: () => {}, leaves: 'early', told: broken(null) }
    if (isHttp2) await overHttp2(t, watched, ending)
    else await overHttp(t, watched, ending, (socket) => { socket.destroy() })
    await tellsOnce(t, watched, ending.told)
  })
}

t.test('one who first asks between the end and the news of it is told once', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  const told: ResponseEnd[] = []
  app.get('/', (_, reply) => {
    reply.raw.destroy()
    onFinished(reply, (settlement) => { told.push(settlement) })
  })
  client(t, await listen(app)).write(requestText())
  await tellsOnce(t, { app, told, isHandling: Promise.resolve() }, broken(null))
})

t.test('one who first asks when a queued request has lost its connection is told', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  const told: ResponseEnd[] = []
  app.get('/first', () => {})
  app.get('/second', (request, reply) => {
    request.raw.socket.once('close', () => { setImmediate(() => { onFinished(reply, (settlement) => { told.push(settlement) }) }) })
    request.raw.socket.destroy()
  })
  client(t, await listen(app)).write(requestText('GET', '/first') + requestText('GET', '/second'))
  await tellsOnce(t, { app, told, isHandling: Promise.resolve() }, broken(null))
})

t.test('one who first asks when the answer was written is told that it was', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  const told: ResponseEnd[] = []
  app.addHook('onResponse', async (_, reply) => { setImmediate(() => { onFinished(reply, (settlement) => { told.push(settlement) }) }) })
  app.get('/', async (_, reply) => reply.code(201).send('hello'))
  client(t, await listen(app)).resume().write(requestText())
  await tellsOnce(t, { app, told, isHandling: Promise.resolve() }, complete(201))
})

/** Warnings of the process while a test runs: of leaks, above all. */
function warningsOf (t: Test): readonly string[] {
  const warnings: string[] = []
  const listener = (warning: Error) => { warnings.push(warning.message) }
  process.on('warning', listener)
  t.teardown(() => process.off('warning', listener))
  return warnings
}
