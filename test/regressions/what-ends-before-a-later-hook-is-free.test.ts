// A malformed body, a 401 or a reset before the hook of its policy was never counted. Over HTTP: how a request ends matters.
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { bareApp, SECOND, type TestApp } from '../fixtures/app.js'
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

/** `POST /` ends in each of the ways. */
async function endingApp (t: Test, options: RateLimitOptions): Promise<TestApp> {
  const parts = bareApp(t, { bodyLimit: 1000, logger: false })
  await parts.app.register(parts.plugin, options)
  const end = (hook: string) => async (request: { headers: Record<string, unknown> }, reply: { code (status: number): { send (body: string): unknown } }) => {
    if (request.headers['x-end'] === `${hook} throw`) throw new Error('no')
    return request.headers['x-end'] === `${hook} 401` ? reply.code(401).send('no') : undefined
  }
  parts.app.post('/', {
    schema: SCHEMA,
    onRequest: [end('onRequest'), async (request, reply) => {
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
  parts.app.post('/never', { handlerTimeout: 50, onRequest: async () => await new Promise<void>(() => {}) }, async () => 'never')
  return parts
}

async function listen (app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

async function send (port: number, { url = '/', headers, body }: Way): Promise<number> {
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
