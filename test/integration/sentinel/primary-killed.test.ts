import t from 'tap'
import { clientsOf, clusterApp, decidedBy, RESUMED_WITHIN_MS } from '../../fixtures/cluster-app.js'
import { startLoad } from '../../fixtures/load.js'
import { askServer, keysOf, startSentinelGroup } from '../../fixtures/sentinel.js'
import { until } from '../../fixtures/until.js'

t.test('a killed primary causes no error, and its replica goes on with what was counted', async (t) => {
  const group = await startSentinelGroup(t)
  const [killed] = group.servers
  const { app, ask } = await clusterApp(t, { redis: group.target, max: 5, timeWindow: '1 hour' })

  const spent: number[] = []
  for (let i = 0; i < 6; i++) spent.push(await ask('spender'))
  t.strictSame(spent, [200, 200, 200, 200, 200, 429])
  t.ok(await askServer(killed.port, ['WAIT', '2', '1000']), 'a replica has it')

  const load = startLoad(app, clientsOf('client', 50))
  await until('a load', 30_000, () => (load.statuses.get(429) ?? 0) > 50)
  killed.signal('SIGKILL')
  const primary = await until('a new primary', 30_000, async () => await group.primary(killed))
  const promotedMs = performance.now()
  const resumedMs = await decidedBy(async (client) => await keysOf(primary.port, client), ask) - promotedMs
  t.comment(`Redis decides ${Math.round(resumedMs)} ms after the promotion`)
  t.ok(resumedMs < RESUMED_WITHIN_MS)

  // In memory it would have five units: they were counted before this process had to do without Redis.
  t.equal(await ask('spender'), 429, 'what was spent stays spent')
  await load.stop()
  t.equal(load.faults(), 0, 'nobody saw an error')
  t.equal((await app.rateLimit.health()).status, 'ok')
})
