// Unmet need 5 of the peers' users: routes of one group share one counter, on every instance.
import t from 'tap'
import { shareRedis } from '../../fixtures/redis-server.js'
import { startService, type Service } from './service.js'

t.test('routes of one groupId share one bucket over instances, others do not', async (t) => {
  const { url } = await shareRedis()
  const rateLimit = { max: 6, timeWindow: '1 hour', groupId: 'search' } as const
  const start = async (): Promise<Service> => await startService(t, { redis: url, deadline: 5000, failureMode: 'closed', max: 6, timeWindow: '1 hour' }, (app) => {
    app.get('/users', { config: { rateLimit } }, async () => 'users')
    app.post('/orders', { config: { rateLimit } }, async () => 'orders')
    app.get('/alone', { config: { rateLimit: { ...rateLimit, groupId: 'alone' } } }, async () => 'alone')
    app.get('/guarded', { config: { rateLimit: false }, preHandler: app.rateLimit(rateLimit) }, async () => 'guarded')
  })
  const [first, second] = [await start(), await start()]
  const orders = { path: '/orders', method: 'POST' }
  const answers = [await first.send({ path: '/users' }), await first.send(orders), await second.send(orders), await second.send({ path: '/guarded' }), await second.send({ path: '/users' })]
  t.strictSame(answers.map(({ status, headers }) => [status, headers['x-ratelimit-remaining']]), [[200, '5'], [200, '4'], [200, '3'], [200, '2'], [200, '1']])
  t.strictSame(await first.statuses(2, { path: '/guarded' }), [200, 429])
  t.strictSame(await second.statuses(1, orders), [429])
  t.equal((await second.send({ path: '/alone' })).headers['x-ratelimit-remaining'], '5')
})

t.test('200 requests at once over both routes of a group are granted its max', async (t) => {
  const { url } = await shareRedis()
  const rateLimit = { max: 50, timeWindow: '10 hours', groupId: 'search' } as const
  const { send } = await startService(t, { redis: url, deadline: 5000, failureMode: 'closed' }, (app) => {
    for (const path of ['/one', '/two']) app.get(path, { config: { rateLimit } }, async () => path)
  })
  const answers = await Promise.all(Array.from({ length: 200 }, async (_, i) => (await send({ path: i % 2 === 0 ? '/one' : '/two' })).status))
  t.equal(answers.filter((status) => status === 200).length, 50)
  t.equal(answers.filter((status) => status === 429).length, 150)
})
