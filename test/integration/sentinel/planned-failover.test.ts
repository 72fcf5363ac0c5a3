import t from 'tap'
import { createClientNames, createClusterApp, waitForDecision, RESUMED_WITHIN_MS } from '../../fixtures/cluster-app.js'
import { startLoad } from '../../fixtures/load.js'
import { fetchKeys, PRIMARY_NAME, startSentinelGroup } from '../../fixtures/sentinel.js'
import { until } from '../../fixtures/until.js'

t.test('a planned failover under load causes no error, and the plugin follows the new primary', async (t) => {
  const group = await startSentinelGroup(t)
  const [demoted] = group.servers
  const { app, send } = await createClusterApp(t, { redis: group.target, max: 5, timeWindow: '1 hour' })
  const load = startLoad(app, createClientNames('client', 50))
  await until('a load', 30_000, () => (load.statuses.get(429) ?? 0) > 50)

  await until('a failover', 30_000, async () => (await group.call('SENTINEL', 'FAILOVER', PRIMARY_NAME)) === 'OK')
  const primary = await until('a new primary', 30_000, async () => await group.findPrimary(demoted))
  const promotedMs = performance.now()
  // The demoted primary accepts writes until the sentinels tell it otherwise; those would be lost.
  const resumedMs = await waitForDecision(async (client) => await fetchKeys(primary.port, client), send) - promotedMs
  t.comment(`the new primary decides ${Math.round(resumedMs)} ms after the promotion`)
  t.ok(resumedMs < RESUMED_WITHIN_MS)

  await load.stop()
  t.equal(load.countFaults(), 0, 'nobody saw an error')
  t.equal((await app.rateLimit.health()).status, 'ok')
})
