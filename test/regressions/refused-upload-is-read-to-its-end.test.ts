// After a refusal, Node.js reads the rest of a request to use its connection again: 190 MB of an upload that was refused.
import { once } from 'node:events'
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http'
import { connect, type ClientHttp2Stream } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import Fastify from 'fastify'
import t from 'tap'
import { fastifyRateLimit as compat } from '../../lib/compat/plugin.js'
import type { RateLimitPluginOptions } from '../../lib/compat/options.js'
import { RateLimitError, type RateLimitOptions } from '../../lib/index.js'
import { bareApp, limitedApp } from '../fixtures/app.js'

const UPLOAD_BYTES = 64 * 1_048_576
const MAX_TAKEN_BYTES = 4 * 1_048_576
const CHUNK = Buffer.alloc(65_536)
const none: RateLimitOptions = { max: 0, timeWindow: '1 hour' }

async function listen (app: FastifyInstance): Promise<{ port: number, sockets: Socket[] }> {
  const sockets: Socket[] = []
  app.server.on('connection', (socket) => { sockets.push(socket) })
  app.addContentTypeParser('*', (_request, payload, done) => { payload.resume().on('end', () => { done(null) }) })
  app.post('/', { bodyLimit: UPLOAD_BYTES }, async () => 'stored')
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { port: getPort(app.server), sockets }
}

function getPort (server: { address (): AddressInfo | string | null }): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : NaN
}

/** Write the upload as fast as the connection takes it, until it is closed. */
function upload (stream: ClientRequest | ClientHttp2Stream, bytes: number): void {
  // The client may write until the server closes the connection, after the response.
  stream.on('error', () => {})
  let left = bytes
  const write = () => {
    while (left > 0 && !stream.destroyed) {
      left -= CHUNK.length
      if (!stream.write(CHUNK.subarray(0, Math.min(CHUNK.length, left + CHUNK.length)))) {
        stream.once('drain', write)
        return
      }
    }
    if (!stream.destroyed) stream.end()
  }
  write()
}

interface Refusal { readonly status: number | undefined, readonly connection: string | undefined, readonly body: string }

async function post (port: number, bytes: number, { isChunked = false, path, agent }: { isChunked?: boolean, path?: string, agent?: Agent }): Promise<Refusal> {
  const sent = request({ port, host: '127.0.0.1', path, agent, method: 'POST', headers: { 'content-type': 'a/b', ...(isChunked ? {} : { 'content-length': bytes }) } })
  const responded: Promise<IncomingMessage[]> = once(sent, 'response')
  upload(sent, bytes)
  const [response] = await responded
  let body = ''
  for await (const part of response) body += String(part)
  return { status: response.statusCode, connection: response.headers.connection, body }
}

const rows: ReadonlyArray<readonly [why: string, options: RateLimitOptions, status: number, isChunked: boolean]> = [
  ['of known length', none, 429, false],
  ['of unknown length', none, 429, true],
  ['under a hook before parsing', { ...none, hook: 'preParsing' }, 429, false],
  ['while the client is identified', { ...none, identify: { custom: () => new Promise((resolve) => { setTimeout(resolve, 20, null) }) } }, 429, false],
  ['that the error handler answers', { ...none, errorResponseBuilder: (_request, decision) => new RateLimitError(decision) }, 429, false],
  ['that a dead store cannot check', { max: 1, failureMode: 'closed', redis: 'redis://127.0.0.1:1', breaker: { failures: 1 } }, 503, true]
]

for (const [why, options, status, isChunked] of rows) {
  t.test(`an upload ${why} is not read after its refusal, and the client gets the response`, async (t) => {
    const { app } = await limitedApp(t, options)
    const { port, sockets } = await listen(app)
    const refusal = await post(port, UPLOAD_BYTES, { isChunked })
    t.match(refusal, { status, connection: 'close', body: /^\{.*\}$/ })
    const [socket] = sockets
    if (!socket.closed) await once(socket, 'close')
    t.ok(socket.bytesRead < MAX_TAKEN_BYTES, `${socket.bytesRead} bytes were taken`)
  })
}

const compatRows: ReadonlyArray<readonly [why: string, options: RateLimitPluginOptions, status: number]> = [
  ['of the hook', { max: 0 }, 429],
  ['of a ban', { max: 0, ban: 0 }, 403],
  ['before parsing', { max: 0, hook: 'preParsing' }, 429],
  ['of a builder', { max: 0, errorResponseBuilder: () => ({ statusCode: 429, error: 'enough' }) }, 429],
  ['of a dead store', { redis: 'redis://127.0.0.1:1', skipOnError: false }, 503]
]

for (const [why, options, status] of compatRows) {
  t.test(`compat: an upload is not read after a refusal ${why}`, async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(compat as never, options as never)
    const { port, sockets } = await listen(app)
    for (const isChunked of [false, true]) {
      t.match(await post(port, UPLOAD_BYTES, { isChunked }), { status, connection: 'close', body: /^\{.*\}$/ })
      const socket = sockets[sockets.length - 1]
      if (!socket.closed) await once(socket, 'close')
      t.ok(socket.bytesRead < MAX_TAKEN_BYTES, `${socket.bytesRead} bytes were taken`)
    }
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.teardown(() => { agent.destroy() })
    t.match(await post(port, 1000, { agent }), { status, connection: 'keep-alive' }, 'the connection stays for a short body')
  })
}

t.test('the connection stays for a short body, and for one that was read', async (t) => {
  const { app } = await limitedApp(t, { global: false })
  const guard = app.rateLimit({ ...none, groupId: 'uploads' })
  app.post('/early', { onRequest: guard }, async () => 'stored')
  app.post('/late', { preHandler: guard, bodyLimit: UPLOAD_BYTES }, async () => 'stored')
  const { port, sockets } = await listen(app)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => { agent.destroy() })
  for (const [path, bytes] of [['/early', 1_048_576], ['/early', 1_048_576], ['/late', 4_194_304], ['/late', 1]] as const) {
    t.match(await post(port, bytes, { path, agent }), { status: 429, connection: 'keep-alive' })
  }
  t.equal(sockets.length, 1)
})

t.test('HTTP/2 ends the stream of the upload, and the session stays', async (t) => {
  const app = Fastify({ http2: true })
  t.teardown(() => app.close())
  await app.register(bareApp(t).plugin, none)
  app.post('/', async () => 'stored')
  await app.listen({ port: 0, host: '127.0.0.1' })
  const session = connect(`http://127.0.0.1:${getPort(app.server)}`)
  t.teardown(() => { session.close() })
  for (let i = 1; i <= 2; i++) {
    const stream = session.request({ ':method': 'POST', ':path': '/', 'content-type': 'a/b' })
    const responded = once(stream, 'response')
    upload(stream, UPLOAD_BYTES)
    stream.resume()
    t.match(await responded, [{ ':status': 429, connection: undefined }])
    if (!stream.closed) await once(stream, 'close')
    t.ok(Number(session.socket.bytesWritten) < MAX_TAKEN_BYTES, `${session.socket.bytesWritten} bytes were sent`)
  }
})
