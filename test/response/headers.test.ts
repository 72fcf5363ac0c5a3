import t from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { limitedApp } from '../fixtures/app.js'

const x = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset']
const draft = ['ratelimit', 'ratelimit-policy']
const dialects: ReadonlyArray<readonly [headers: RateLimitOptions['headers'], names: readonly string[]]> = [
  [undefined, x],
  ['x-ratelimit', x],
  ['ratelimit', draft],
  ['both', [...draft, ...x]],
  ['off', []]
]

for (const [headers, names] of dialects) {
  t.test(`headers: ${headers ?? 'left out'} writes its own on every counted response`, async (t) => {
    const { app } = await limitedApp(t, { max: 3, timeWindow: '1 minute', headers })
    app.get('/fault', async () => { throw new Error('fault') })
    for (const [url, status] of [['/', 200], ['/no/such', 404], ['/fault', 500], ['/', 429]] as const) {
      const response = await app.inject(url)
      t.equal(response.statusCode, status)
      t.strictSame(Object.keys(response.headers).filter((name) => name.includes('ratelimit')).sort(), names, `status ${status}`)
      t.equal(response.headers['retry-after'], status === 429 ? '20' : undefined)
      t.equal(response.headers['cache-control'], status === 429 ? 'no-store' : undefined)
    }
  })
}

t.test('X-RateLimit headers tell capacity, whole units left and seconds until nothing is used', async (t) => {
  const { app, clock } = await limitedApp(t, { max: 10, burst: 4, timeWindow: '10s', headers: 'both' })
  t.match((await app.inject('/')).headers, { 'x-ratelimit-limit': '4', 'x-ratelimit-remaining': '3', 'x-ratelimit-reset': '1' })
  clock.advance(1)
  t.match((await app.inject('/')).headers, { 'x-ratelimit-remaining': '2', 'x-ratelimit-reset': '2' }, 'rounded up')
  await app.inject('/')
  await app.inject('/')
  const { headers } = await app.inject('/')
  t.match(headers, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '4', 'retry-after': '1' })
  t.match(headers, { ratelimit: '"default";r=0;t=1', 'ratelimit-policy': '"default";q=10;w=10' })
})

t.test('resetFormat: epoch writes the time of the reset in seconds since 1970, rounded up', async (t) => {
  const { app, clock } = await limitedApp(t, { max: 2, timeWindow: '10s', headers: 'both', resetFormat: 'epoch' })
  let nowMs = 1_700_000_000_000
  t.intercept(Date, 'now', { value: () => nowMs })
  const reset = async (passedMs: number, epoch: number, wait: string | undefined, draft: string) => {
    nowMs += passedMs
    clock.advance(passedMs * 1000)
    const { headers } = await app.inject('/')
    t.strictSame([headers['x-ratelimit-reset'], headers['retry-after'], headers.ratelimit], [String(epoch), wait, draft])
  }
  await reset(0, 1_700_000_005, undefined, '"default";r=1;t=5')
  await reset(1, 1_700_000_010, undefined, '"default";r=0;t=10')
  await reset(1, 1_700_000_010, '5', '"default";r=0;t=5')
  await reset(998, 1_700_000_010, '4', '"default";r=0;t=4')
  await reset(9_001, 1_700_000_016, undefined, '"default";r=1;t=5')
})

t.test('the draft\'s fields list every enforced limit in the order of the options', async (t) => {
  const { app } = await limitedApp(t, {
    headers: 'ratelimit',
    limits: [
      { name: 'burst', max: 20, timeWindow: '1s' },
      { name: 'trial', max: 1, timeWindow: '1s', mode: 'shadow' },
      { name: 'hourly', max: 5000, timeWindow: '1 hour', algorithm: 'fixed-window' }
    ]
  })
  const { headers } = await app.inject('/')
  t.equal(headers['ratelimit-policy'], '"burst";q=20;w=1, "hourly";q=5000;w=3600')
  t.equal(headers.ratelimit, '"burst";r=19;t=1, "hourly";r=4999;t=3600')
})

t.test('the draft\'s window is left out where it is no whole second', async (t) => {
  const { app } = await limitedApp(t, { max: 20, timeWindow: 1500, headers: 'ratelimit' })
  t.equal((await app.inject('/')).headers['ratelimit-policy'], '"default";q=20')
})

t.test('an uncounted response has no header of ours', async (t) => {
  const { app } = await limitedApp(t, { max: 3, timeWindow: '1 minute', headers: 'both' })
  app.get('/off', { config: { rateLimit: false } }, async () => 'off')
  t.strictSame(Object.keys((await app.inject('/off')).headers).filter((name) => name.includes('ratelimit')), [])
})
