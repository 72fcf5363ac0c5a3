// Unmet need 8 of the peers' users: count by outcome, refund, reset and inspect, in one call and without races.
import t, { type Test } from 'tap'
import { until } from '../../fixtures/until.js'
import { shareRedis } from '../../fixtures/redis-server.js'
import { startService, type Service } from './service.js'

async function startLogin (t: Test, redis: string): Promise<Service> {
  return await startService(t, { redis, deadline: 5000, failureMode: 'closed' }, (app) => {
    app.get('/login', { config: { rateLimit: { max: 5, timeWindow: '10 hours', refundOn: ['2xx'] } } }, async ({ headers }, reply) => {
      return await reply.code(headers.password === 'right' ? 200 : 401).send('done')
    })
    app.get('/tokens', { config: { rateLimit: { max: 100, timeWindow: '10 hours', cost: 10 } } }, async ({ rateLimit, headers }) => {
      const used = Number(headers.used)
      if (used > 10) await rateLimit?.charge(used - 10)
      else if (used < 10) await rateLimit?.refund(10 - used)
    })
  })
}

const login = (password: string) => ({ path: '/login', headers: { password } })

t.test('a login counts failures only, and an operator can look and lift', async (t) => {
  const { url } = await shareRedis()
  const { app, send, statuses } = await startLogin(t, url)
  const left = async (scope: string) => (await app.rateLimit.peek('ip:127.0.0.1')).find((one) => one.scope === scope)?.remaining
  const isLeft = async (units: number) => await until(`${units} are left`, 5000, async () => await left('route:GET /login') === units)

  t.strictSame(await statuses(3, login('wrong')), [401, 401, 401])
  for (let i = 0; i < 10; i++) {
    t.equal((await send(login('right'))).status, 200)
    // The units return when the response is over, which the client may learn sooner.
    await isLeft(2)
  }
  t.strictSame(await statuses(3, login('wrong')), [401, 401, 429])
  t.equal((await send(login('right'))).status, 429, 'now the right one has to wait, too')
  t.equal(await app.rateLimit.reset('ip:127.0.0.1'), 1)
  t.equal((await send(login('right'))).status, 200)
  await isLeft(5)
})

t.test('failures at once are no more than the max, whatever succeeds between them', async (t) => {
  const { url } = await shareRedis()
  const { app, send } = await startLogin(t, url)
  const answers = await Promise.all(Array.from({ length: 60 }, async (_, i) => (await send(login(i % 3 === 0 ? 'right' : 'wrong'))).status))
  const failed = answers.filter((status) => status === 401).length
  t.ok(failed <= 5, `${failed} failures got through`)
  await until('the books balance', 5000, async () => (await app.rateLimit.peek('ip:127.0.0.1')).some((one) => one.scope === 'route:GET /login' && one.remaining === 5 - failed))
})

t.test('what the work came to is charged or given back afterwards', async (t) => {
  const { url } = await shareRedis()
  const { app, send } = await startLogin(t, url)
  for (const used of [4, 30, 10]) t.equal((await send({ path: '/tokens', headers: { used: String(used) } })).status, 200)
  const standing = (await app.rateLimit.peek('ip:127.0.0.1')).find(({ scope }) => scope === 'route:GET /tokens')
  t.equal(standing?.remaining, 100 - 4 - 30 - 10)
})
