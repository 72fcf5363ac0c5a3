import t from 'tap'
import { clientsOf, clusterApp, decidedBy, RESUMED_WITHIN_MS } from '../../fixtures/cluster-app.js'
import { startLoad } from '../../fixtures/load.js'
import { keysOf, PRIMARY_NAME, startSentinelGroup } from '../../fixtures/sentinel.js'
import { until } from '../../fixtures/until.js'

t.test('a planned failover under load causes no error, and the plugin follows the new primary', async (t) => {
  const group = await startSentinelGroup(t)
  const [demoted] = group.servers
  const { app, ask } = await clusterApp(t, { redis: group.target, max: 5, timeWindow: '1 hour' })
  const load = startLoad(app, clientsOf('client', 50))
  await until('a load', 30_000, () => (load.statuses.get(429) ?? 0) > 50)

  await until('a failover', 30_000, async () => (await group.ask('SENTINEL', 'FAILOVER', PRIMARY_NAME)) === 'OK')
  const primary = await until('a new primary', 30_000, async () => await group.primary(demoted))
  const promotedMs = performance.now()
  // The demoted primary accepts writes until the sentinels tell it otherwise; those would be lost.
  const resumedMs = await decidedBy(async (client) => await keysOf(primary.port, client), ask) - promotedMs
  t.comment(`the new primary decides ${Math.round(resumedMs)} ms after the promotion`)
  t.ok(resumedMs < RESUMED_WITHIN_MS)

  await load.stop()
  t.equal(load.faults(), 0, 'nobody saw an error')
  t.equal((await app.rateLimit.health()).status, 'ok')
})
