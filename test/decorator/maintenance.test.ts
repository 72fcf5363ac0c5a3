import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { createStoreApp, requestAs, byHeaders, eachStore } from '../fixtures/each-store.js'

const penalty = { strikes: 1, within: '1 hour', cooldown: '1 hour' } as const
const own = (max: number) => (app: FastifyInstance) => { app.get('/closed', { config: { rateLimit: { max } } }, async () => 'closed') }
const plain = (app: FastifyInstance) => { app.get('/closed', async () => 'closed') }

interface Row {
  readonly what: string
  readonly options: RateLimitOptions
  readonly declare: (app: FastifyInstance) => void
  /** Of requests to `/closed` and to `/`, by address. */
  readonly answers: readonly [closed: number, other: number]
}

const rows: readonly Row[] = [
  { what: 'a route', options: {}, declare: own(0), answers: [429, 200] },
  { what: 'a rule', options: { rules: [{ name: 'down', match: '/closed', max: 0 }] }, declare: plain, answers: [429, 200] },
  { what: 'a rule that overrides a route\'s own limits', options: { rules: [{ name: 'down', match: '/*', override: true, max: 0 }] }, declare: own(5), answers: [429, 429] },
  { what: 'a tier', options: { identify: byHeaders, tiers: { anonymous: { max: 0 } } }, declare: plain, answers: [429, 429] },
  { what: 'everything', options: { max: 0 }, declare: plain, answers: [429, 429] },
  { what: 'everything, but for a route with limits of its own', options: { max: 0 }, declare: own(5), answers: [200, 429] },
  { what: 'one of several limits', options: { limits: [{ name: 'a', max: 9, timeWindow: '1s' }, { name: 'b', max: 0, timeWindow: '1s' }] }, declare: plain, answers: [429, 429] }
]

t.test('on each store', async (t) => {
  for (const store of await eachStore()) {
    for (const { what, options, declare, answers } of rows) {
      t.test(`${store.name}: max 0 on ${what} refuses without a time to come back, and strikes nobody`, async (t) => {
        const { app } = await createStoreApp(t, store, { penalty, ...options }, declare)
        for (let i = 0; i < 4; i++) {
          for (const [url, status] of [['/closed', answers[0]], ['/', answers[1]]] as const) {
            const { statusCode, headers, body } = await app.inject(url)
            t.equal(statusCode, status, url)
            if (statusCode !== 429) continue
            t.equal(headers['retry-after'], undefined)
            const problem = JSON.parse(body)
            t.match(problem, { type: /#quota-exceeded$/, title: 'Quota Exceeded', limit: 0, remaining: 0 })
            t.notOk('retryAfter' in problem)
            t.match(problem.detail, 'No requests are accepted here at present')
          }
        }
      })
    }

    t.test(`${store.name}: what is exempt stays reachable while everything is closed`, async (t) => {
      const { app } = await createStoreApp(t, store, {
        identify: byHeaders, max: 0, headers: 'both', exempt: { ips: ['203.0.113.9'], users: ['operator'] }, tiers: { internal: false }
      }, (app) => {
        app.get('/healthz', async () => 'ok')
        app.get('/open', { config: { rateLimit: false } }, async () => 'open')
      })
      t.equal((await app.inject('/')).statusCode, 429)
      const asked = ['/healthz', '/health/rate-limit', '/open', requestAs('operator'), requestAs('1', 'internal'), { url: '/', remoteAddress: '203.0.113.9' }]
      for (const request of asked) {
        const response = await app.inject(request)
        t.equal(response.statusCode, 200, JSON.stringify(request))
        t.strictSame(Object.keys(response.headers).filter((name) => name.includes('ratelimit')), [])
      }
      t.equal((await app.inject('/nowhere')).statusCode, 429, 'unknown URLs are closed, too')
    })

    t.test(`${store.name}: what was used before is not forgotten by the refusals meanwhile`, async (t) => {
      let isClosed = false
      const { app } = await createStoreApp(t, store, { max: () => isClosed ? 0 : 3, timeWindow: '1 hour' })
      const left = async () => (await app.inject('/')).headers['x-ratelimit-remaining']
      t.equal(await left(), '2')
      isClosed = true
      t.equal(await left(), '0')
      isClosed = false
      t.equal(await left(), '1')
    })
  }
})
