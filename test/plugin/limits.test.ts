import t from 'tap'
import { limitedApp, remainders, SECOND, statuses } from '../fixtures/app.js'

const from = (remoteAddress: string, url = '/') => ({ url, remoteAddress })

t.test('several limits are charged all or none', async (t) => {
  const { app, clock } = await limitedApp(t, {
    limits: [{ name: 'burst', max: 2, timeWindow: '1s' }, { name: 'hourly', max: 100, timeWindow: '1 hour', algorithm: 'fixed-window' }]
  })
  t.strictSame(await statuses(app, 12), [200, 200, ...Array(10).fill(429)])
  const [, hourly] = await app.rateLimit.peek('ip:127.0.0.1')
  t.match(hourly, { name: 'hourly', remaining: 98 }, 'ten refusals took nothing')
  clock.advance(SECOND)
  t.strictSame(await statuses(app, 1), [200])
})

t.test('the limit with the lowest remaining share binds', async (t) => {
  const { app } = await limitedApp(t, {
    limits: [{ name: 'burst', max: 10, timeWindow: '1s' }, { name: 'hourly', max: 4, timeWindow: '1 hour' }]
  })
  const { headers } = await app.inject('/')
  t.match(headers, { 'x-ratelimit-limit': '4', 'x-ratelimit-remaining': '3' })
})

t.test('of the limits that refuse, the one with the longest wait binds', async (t) => {
  const { app } = await limitedApp(t, {
    limits: [{ name: 'burst', max: 1, timeWindow: '10s' }, { name: 'hourly', max: 1, timeWindow: '1 hour' }]
  })
  const [, refused] = [await app.inject('/'), await app.inject('/')]
  t.equal(refused.headers['retry-after'], '3600')
  t.strictSame(refused.json()['violated-policies'], ['burst', 'hourly'])
})

t.test('by: ip charges the address, whatever key was generated', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute', by: 'ip', keyGenerator: ({ id }) => id })
  t.strictSame(await remainders(app, '/', '/', from('203.0.113.9')), [1, 0, 1])
})

t.test('by: client charges the key', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute', keyGenerator: ({ headers }) => String(headers['x-key']) })
  const key = (name: string, remoteAddress: string) => ({ url: '/', remoteAddress, headers: { 'x-key': name } })
  t.strictSame(await remainders(app, key('a', '203.0.113.1'), key('a', '203.0.113.2'), key('b', '203.0.113.1')), [1, 0, 1])
})

t.test('by: global charges everybody together', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute', by: 'global' })
  t.strictSame(await remainders(app, from('203.0.113.1'), from('203.0.113.2')), [1, 0])
  t.strictSame(await statuses(app, 1, from('203.0.113.3')), [429])
})

t.test('limits on different partitions are charged all or none', async (t) => {
  const { app } = await limitedApp(t, {
    limits: [{ name: 'each', max: 1, timeWindow: '1 minute' }, { name: 'all', max: 3, timeWindow: '1 minute', by: 'global' }]
  })
  t.strictSame(await statuses(app, 5, from('203.0.113.1')), [200, 429, 429, 429, 429])
  t.strictSame(await statuses(app, 1, from('203.0.113.2')), [200], 'the refusals of one client took nothing from all')
  t.strictSame(await statuses(app, 1, from('203.0.113.3')), [200])
  t.strictSame(await statuses(app, 1, from('203.0.113.4')), [429])
  const [each] = await app.rateLimit.peek('ip:203.0.113.4')
  t.match(each, { name: 'each', remaining: 1 })
})

t.test('a limit on trial shows in no header and no body, but in the standings', async (t) => {
  const { app } = await limitedApp(t, {
    headers: 'both',
    limits: [{ name: 'trial', max: 1, timeWindow: '1 hour', mode: 'shadow' }, { name: 'real', max: 2, timeWindow: '1 minute' }]
  })
  app.get('/look', async (request) => request.rateLimit?.standings)
  const [first, second, third] = [await app.inject('/look'), await app.inject('/look'), await app.inject('/look')]
  t.match(first.headers, { 'x-ratelimit-limit': '2', ratelimit: '"real";r=1;t=30', 'ratelimit-policy': '"real";q=2;w=60' })
  t.strictSame(second.json(), [
    { name: 'trial', limit: 1, max: 1, windowMs: 3_600_000, remaining: 0, resetAfterMs: 3_600_000, retryAfterMs: 3_600_000, blockedMs: 0, mode: 'shadow', isExceeded: true },
    { name: 'real', limit: 2, max: 2, windowMs: 60_000, remaining: 0, resetAfterMs: 60_000, retryAfterMs: 0, blockedMs: 0, mode: 'enforce', isExceeded: false }
  ])
  t.equal(third.statusCode, 429)
  t.equal(third.headers['retry-after'], '30')
  t.notMatch(third.body, 'trial')
})

t.test('mode: shadow refuses nothing and writes no header', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 minute', mode: 'shadow', headers: 'both' })
  app.get('/look', async (request) => request.rateLimit?.standings[0].isExceeded)
  const answers = [await app.inject('/look'), await app.inject('/look')]
  t.strictSame(answers.map(({ body }) => body), ['false', 'true'])
  t.strictSame(Object.keys(answers[1].headers).filter((name) => name.includes('ratelimit')), [])
})

t.test('a trial takes nothing from the enforced limit of its name', async (t) => {
  const { app } = await limitedApp(t, { max: 3, timeWindow: '1 minute' })
  app.get('/trial', { config: { rateLimit: { mode: 'shadow' } } }, async () => 'trial')
  t.strictSame(await statuses(app, 5, '/trial'), Array(5).fill(200))
  t.strictSame(await remainders(app, '/'), [2])
})
