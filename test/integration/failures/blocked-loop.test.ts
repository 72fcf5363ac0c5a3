// A blocked event loop is not a slow Redis.
import t from 'tap'
import { startRedis } from '../../fixtures/redis-server.js'
import { startProxy } from '../../fixtures/tcp-proxy.js'
import { DEADLINE_MS, newClient, SOON_MS, startService, until } from './outage.js'

function block (ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

t.test('handlers that block the loop for twice the deadline, many at once, cause no failure and no new connection', async (t) => {
  const server = await startRedis(t)
  const proxy = await startProxy(t, server.port)
  const failures: string[] = []
  const service = await startService(t, { redis: proxy.url, max: 1000, onExceeding: () => block(2 * DEADLINE_MS) })
  await until(t, 'Redis decides', SOON_MS, async () => (await service.visit('/open', newClient())).outcome === 'allowed')
  const { connections } = proxy
  for (let round = 0; round < 2; round++) {
    const visits = await Promise.all(Array.from({ length: 5 }, () => service.visit('/open', newClient())))
    for (const visit of visits) if (visit.outcome !== 'allowed') failures.push(visit.outcome)
  }
  t.strictSame(failures, [])
  t.equal(proxy.connections, connections)
  t.strictSame(service.log, [])
})

t.test('a loop that is blocked while a call is on its way reads the reply before it gives up', async (t) => {
  const server = await startRedis(t)
  const service = await startService(t, { redis: server.url, max: 1000 })
  await until(t, 'Redis decides', SOON_MS, async () => (await service.visit('/open', newClient())).outcome === 'allowed')
  const outcomes: string[] = []
  for (let i = 0; i < 3; i++) {
    const request = service.app.inject({ url: '/open', headers: newClient() })
    // The call was written, its reply comes during the block.
    setImmediate(() => setImmediate(() => block(5 * DEADLINE_MS)))
    outcomes.push((await request).body)
  }
  t.strictSame(outcomes, Array(3).fill('allowed'))
  t.strictSame(service.log, [])
})
