// Each policy has a failure mode of its own. Redis is a port on which nobody listens.
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { freePort } from '../fixtures/redis-server.js'
import { bareApp, remaining, statuses, type TestApp } from '../fixtures/app.js'

async function orphan (t: Test, options: RateLimitOptions): Promise<TestApp> {
  const parts = bareApp(t)
  await parts.app.register(parts.plugin, { max: 2, timeWindow: '1 hour', redis: `redis://127.0.0.1:${await freePort()}`, deadline: 5, breaker: { failures: 1, openFor: '90s' }, ...options })
  parts.app.get('/', async (request) => ({ outcome: request.rateLimit?.outcome, standings: request.rateLimit?.standings.length }))
  return parts
}

t.test('local is the default: the same limit, in memory, with its headers', async (t) => {
  const { app } = await orphan(t, {})
  t.strictSame(await statuses(app, 3), [200, 200, 429])
  const refused = await app.inject('/')
  t.equal(refused.headers['x-ratelimit-limit'], '2')
  t.equal(remaining(refused), 0)
})

t.test('open lets through, says so, and invents nothing', async (t) => {
  const { app } = await orphan(t, { failureMode: 'open', headers: 'both' })
  for (let i = 0; i < 5; i++) {
    const response = await app.inject('/')
    t.equal(response.statusCode, 200)
    t.strictSame(response.json(), { outcome: 'unavailable', standings: 0 })
    t.strictSame(Object.keys(response.headers).filter((name) => /ratelimit|retry/.test(name)), [])
  }
})

t.test('closed answers 503 with when to come back', async (t) => {
  const { app } = await orphan(t, { failureMode: 'closed' })
  const response = await app.inject({ url: '/', headers: { 'request-id': 'r' } })
  t.equal(response.statusCode, 503)
  t.equal(response.headers['retry-after'], '90')
  t.equal(response.headers['cache-control'], 'no-store')
  t.equal(response.headers['x-ratelimit-limit'], undefined)
  t.match(response.json(), {
    type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
    title: 'Temporary Reduced Capacity',
    status: 503,
    detail: 'Rate limits cannot be checked at present. Retry in 90 seconds.',
    retryAfter: 90
  })
})

t.test('a route has a failure mode of its own', async (t) => {
  const { app } = await orphan(t, { failureMode: 'closed' })
  app.get('/open', { config: { rateLimit: { failureMode: 'open' } } }, async () => 'open')
  app.get('/local', { config: { rateLimit: { failureMode: 'local', max: 1, timeWindow: '1 hour' } } }, async () => 'local')
  t.strictSame(await statuses(app, 2, '/open'), [200, 200])
  t.strictSame(await statuses(app, 2, '/local'), [200, 429])
  t.strictSame(await statuses(app, 1), [503])
})

t.test('an application without its Redis is ready at once, and its callbacks are those of the outcome', async (t) => {
  const heard: string[] = []
  const { app } = await orphan(t, {
    failureMode: 'open',
    onExceeding: () => { heard.push('exceeding') },
    onExceeded: () => { heard.push('exceeded') }
  })
  await app.ready()
  await app.inject('/')
  t.strictSame(heard, [], 'nothing was counted')
})

t.test('charges and refunds of a request that nobody counted do nothing', async (t) => {
  const { app } = await orphan(t, { failureMode: 'open' })
  app.get('/work', async (request) => {
    await request.rateLimit?.charge(5)
    await request.rateLimit?.refund(5)
    return 'done'
  })
  t.equal((await app.inject('/work')).body, 'done')
})

t.test('a refund of a request that was counted locally goes to where it was counted', async (t) => {
  const { app } = await orphan(t, {})
  app.get('/free', async (request) => { await request.rateLimit?.refund(1) })
  t.strictSame(await statuses(app, 5, '/free'), Array(5).fill(200))
})

t.test('a shadow limit never refuses, whatever the failure mode does with the others', async (t) => {
  const { app } = await orphan(t, { mode: 'shadow' })
  t.strictSame(await statuses(app, 5), Array(5).fill(200))
})

t.test("a 503 is the application's to word", async (t) => {
  const { app } = await orphan(t, { failureMode: 'closed', errorResponseBuilder: (_request, decision) => ({ why: decision.outcome }) })
  const response = await app.inject('/')
  t.equal(response.statusCode, 503)
  t.strictSame(response.json(), { why: 'unavailable' })
})
