// Two policies with one bucket each had leases of it. A reset ended those of one of them, and a peek saw only those.
import t from 'tap'
import Fastify from 'fastify'
import { rateLimitPlugin } from '../../lib/index.js'
import { shareRedis } from '../fixtures/redis-server.js'
import { until } from '../fixtures/until.js'

t.test('reset with a route of the same buckets', async (t) => {
  const { url } = await shareRedis()
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { max: 1_000_000, timeWindow: '30 days', redis: url, keyPrefix: 'tmpreset:', deadline: 5000, failureMode: 'closed', leases: { hold: '2s' } })
  app.get('/', async () => 'hello')
  app.get('/cost', { config: { rateLimit: { cost: 3 } } }, async () => 'cost')
  await app.ready()
  await until('up', 10_000, async () => (await app.inject('/')).statusCode === 200)
  const leased = async () => Number(/^rate_limit_lease_checks_total\{source="leased"\} (\d+)$/m.exec((await app.inject('/metrics')).body)?.[1])
  await until('leases', 30_000, async () => {
    for (let i = 0; i < 10; i++) await app.inject('/')
    return await leased() > 5
  })
  const [{ remaining }] = await app.rateLimit.peek('ip:127.0.0.1')
  // Units drain in the meantime.
  t.ok(Math.abs(remaining - Number((await app.inject('/')).headers['x-ratelimit-remaining'])) < 5)
  await app.rateLimit.reset('ip:127.0.0.1')
  const before = await leased()
  // Units drain in the meantime.
  for (let i = 0; i < 3; i++) t.ok(Number((await app.inject('/')).headers['x-ratelimit-remaining']) >= 999_997)
  t.equal(await leased(), before, 'no unit of an old lease')
})
