import t from 'tap'
import { createClientNames, createClusterApp, waitForDecision, RESUMED_WITHIN_MS } from '../../fixtures/cluster-app.js'
import { startLoad } from '../../fixtures/load.js'
import { callServer, fetchKeys, startSentinelGroup } from '../../fixtures/sentinel.js'
import { until } from '../../fixtures/until.js'

t.test('a killed primary causes no error, and its replica goes on with what was counted', async (t) => {
  const group = await startSentinelGroup(t)
  const [killed] = group.servers
  const { app, send } = await createClusterApp(t, { redis: group.target, max: 5, timeWindow: '1 hour' })

  const spent: number[] = []
  for (let i = 0; i < 6; i++) spent.push(await send('spender'))
  t.strictSame(spent, [200, 200, 200, 200, 200, 429])
  t.ok(await callServer(killed.port, ['WAIT', '2', '1000']), 'a replica has it')

  const load = startLoad(app, createClientNames('client', 50))
  await until('a load', 30_000, () => (load.statuses.get(429) ?? 0) > 50)
  killed.signal('SIGKILL')
  const primary = await until('a new primary', 30_000, async () => await group.findPrimary(killed))
  const promotedMs = performance.now()
  const resumedMs = await waitForDecision(async (client) => await fetchKeys(primary.port, client), send) - promotedMs
  t.comment(`Redis decides ${Math.round(resumedMs)} ms after the promotion`)
  t.ok(resumedMs < RESUMED_WITHIN_MS)

  // In memory it would have five units: they were counted before this process had to do without Redis.
  t.equal(await send('spender'), 429, 'what was spent stays spent')
  await load.stop()
  t.equal(load.countFaults(), 0, 'nobody saw an error')
  t.equal((await app.rateLimit.health()).status, 'ok')
})
