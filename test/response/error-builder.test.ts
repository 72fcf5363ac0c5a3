import t, { type Test } from 'tap'
import { RateLimitError, type RateLimitOptions } from '../../lib/index.js'
import { limitedApp } from '../fixtures/app.js'

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

const circular: Record<string, unknown> = {}
circular.self = circular
const rubbish: ReadonlyArray<readonly [what: string, build: () => unknown]> = [
  ['throws', () => { throw new Error('broken') }],
  ['throws nothing', () => { throw undefined }], // eslint-disable-line no-throw-literal
  ['answers undefined', () => undefined],
  ['answers null', () => null],
  ['answers a string', () => 'slow down'],
  ['answers a number', () => 429],
  ['answers a promise', async () => ({ slow: 'down' })],
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
