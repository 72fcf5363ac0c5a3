import type { FastifyReply, FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import { RateLimitError, type Decision, type RateLimitOptions } from '../../lib/index.js'
import { bareApp, limitedApp } from '../fixtures/app.js'

type Builder = NonNullable<RateLimitOptions['errorResponseBuilder']>

/** What a refusal looks like with this builder, and whether a fault was logged. */
async function refusalBy (t: Test, errorResponseBuilder: unknown, hasErrorHandler = false) {
  const { app, log } = await limitedApp(t, { max: 0, timeWindow: '1 minute', errorResponseBuilder: errorResponseBuilder as Builder })
  if (hasErrorHandler) {
    app.setErrorHandler((error, _request, reply) => reply.send({ caught: error instanceof Error && error.message }))
  }
  const response = await app.inject('/')
  return { response, faults: log.filter(({ source }) => source === 'errorResponseBuilder') }
}

t.test('an object is the body, and the status stays 429', async (t) => {
  const { response, faults } = await refusalBy(t, (request: { url: string }, decision: { limit: number }) => ({ url: request.url, limit: decision.limit }), true)
  t.equal(response.statusCode, 429)
  t.equal(response.headers['content-type'], 'application/json; charset=utf-8')
  t.strictSame(response.json(), { url: '/', limit: 0 })
  t.equal(faults.length, 0)
})

t.test('an object with a statusCode changes no status', async (t) => {
  const { response } = await refusalBy(t, () => ({ statusCode: 500, error: 'mine' }))
  t.equal(response.statusCode, 429)
})

t.test('an Error is thrown, so the error handler answers, and the status stays 429', async (t) => {
  const { response } = await refusalBy(t, () => new Error('slow down'), true)
  t.equal(response.statusCode, 429)
  t.strictSame(response.json(), { caught: 'slow down' })
  t.equal(response.headers['x-ratelimit-limit'], '0')
  t.equal(response.headers['cache-control'], 'no-store')
})

t.test('an Error without an error handler is Fastify\'s body of a 429', async (t) => {
  const { response } = await refusalBy(t, () => new Error('slow down'))
  t.equal(response.statusCode, 429)
  t.strictSame(response.json(), { statusCode: 429, error: 'Too Many Requests', message: 'slow down' })
})

t.test('an Error with a statusCode decides the status', async (t) => {
  const { response } = await refusalBy(t, () => Object.assign(new Error('busy'), { statusCode: 503 }), true)
  t.equal(response.statusCode, 503)
})

t.test('an Error with a statusCode that is none stays 429', async (t) => {
  for (const statusCode of [200, 0, 999, '404', NaN]) {
    const { response } = await refusalBy(t, () => Object.assign(new Error('busy'), { statusCode }), true)
    t.equal(response.statusCode, 429, `statusCode ${statusCode}`)
  }
})

t.test('a RateLimitError carries its code and the decision', async (t) => {
  const { app } = await limitedApp(t, { max: 0, timeWindow: '1 minute', errorResponseBuilder: (_request, decision) => new RateLimitError(decision) })
  app.setErrorHandler((error, _request, reply) => {
    if (error instanceof RateLimitError) reply.send({ code: error.code, limit: error.decision.limitName, retryAfterMs: error.decision.retryAfterMs })
    else reply.send('another')
  })
  const response = await app.inject('/')
  t.equal(response.statusCode, 429)
  t.strictSame(response.json(), { code: 'FST_SLUICE_QUOTA_EXCEEDED', limit: 'default', retryAfterMs: 'never' })
})

type Build = (request: FastifyRequest, decision: Decision, reply: FastifyReply) => unknown

const bodies: ReadonlyArray<readonly [what: string, build: Build, status: number, type: string | undefined, body: string, location?: string]> = [
  ['text', () => 'slow down', 429, 'text/plain; charset=utf-8', 'slow down'],
  ['an empty text', () => '', 429, 'text/plain; charset=utf-8', ''],
  ['HTML', (_request, _decision, reply) => { reply.type('text/html'); return '<p>slow down' }, 429, 'text/html', '<p>slow down'],
  ['a Buffer', () => Buffer.from('slow'), 429, 'application/octet-stream', 'slow'],
  ['a Buffer with a type', (_request, _decision, reply) => { reply.type('image/png'); return Buffer.from('slow') }, 429, 'image/png', 'slow'],
  ['an object with a type', (_request, _decision, reply) => { reply.type('application/vnd.api+json'); return { a: 1 } }, 429, 'application/vnd.api+json', '{"a":1}'],
  ['a status', (_request, _decision, reply) => { reply.code(403); return 'banned' }, 403, 'text/plain; charset=utf-8', 'banned'],
  ['a redirect', (_request, _decision, reply) => reply.redirect('/busy'), 302, undefined, '', '/busy'],
  ['a redirect and nothing', (_request, _decision, reply) => { reply.redirect('/busy') }, 302, undefined, '', '/busy'],
  ['a redirect with a status', (_request, _decision, reply) => reply.redirect('/busy', 303), 303, undefined, '', '/busy'],
  ['a reply of its own', (_request, _decision, reply) => reply.send('sent'), 429, 'text/plain; charset=utf-8', 'sent']
]
for (const [what, build, status, type, body, location] of bodies) {
  for (const isAsync of [false, true]) {
    t.test(`a builder may answer ${what}${isAsync ? ', later' : ''}`, async (t) => {
      const later: Build = async (...parts) => { await new Promise(setImmediate); return build(...parts) }
      const { response, faults } = await refusalBy(t, isAsync ? later : build, true)
      t.equal(response.statusCode, status)
      t.equal(response.headers['content-type'], type)
      t.equal(response.body, body)
      t.equal(response.headers.location, location)
      t.equal(response.headers['cache-control'], 'no-store')
      t.strictSame(faults, [])
    })
  }
}

t.test('a type that a hook has set before is not the type of the body', async (t) => {
  const { app, plugin } = bareApp(t)
  app.addHook('onRequest', async (_request, reply) => { reply.type('text/css') })
  await app.register(plugin, { max: 0, timeWindow: '1 minute', errorResponseBuilder: () => ({}) })
  app.get('/', async () => 'hello')
  t.equal((await app.inject('/')).headers['content-type'], 'application/json; charset=utf-8')
})

const circular: Record<string, unknown> = {}
circular.self = circular
const rubbish: ReadonlyArray<readonly [what: string, build: Build]> = [
  ['throws', () => { throw new Error('broken') }],
  ['throws nothing', () => { throw undefined }], // eslint-disable-line no-throw-literal
  ['answers undefined', () => undefined],
  ['answers null', () => null],
  ['answers a number', () => 429],
  ['answers a promise of nothing', async () => {}],
  ['answers the reply, which it has not sent', (_request: unknown, _decision: unknown, reply: FastifyReply) => { reply.code(403); return reply }],
  ['rejects', async () => { throw new Error('broken') }],
  ['answers a circular object', () => circular],
  ['answers an object that has no JSON', () => ({ toJSON: () => undefined })],
  ['answers a BigInt inside', () => ({ big: 1n })]
]
for (const [what, build] of rubbish) {
  t.test(`a builder that ${what} gets the default body, and is logged`, async (t) => {
    const { response, faults } = await refusalBy(t, build, true)
    t.equal(response.statusCode, 429)
    t.match(response.json(), { title: 'Quota Exceeded', status: 429 })
    t.equal(faults.length, 1)
  })
}
