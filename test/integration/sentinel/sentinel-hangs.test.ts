import t from 'tap'
import { createClusterApp, waitForDecision, RESUMED_WITHIN_MS } from '../../fixtures/cluster-app.js'
import { fetchKeys, startSentinelGroup } from '../../fixtures/sentinel.js'
import { until } from '../../fixtures/until.js'

t.test('a sentinel that accepts connections and says nothing keeps no instance from the new primary', async (t) => {
  const group = await startSentinelGroup(t)
  const [killed] = group.servers
  const { send } = await createClusterApp(t, { redis: group.target, max: 5, timeWindow: '1 hour' })

  // Announced while the plugin waits for the sentinel that hangs, the failover once ended the connection for good.
  // The first of the list, which is asked first.
  group.sentinels[0].signal('SIGSTOP')
  killed.signal('SIGKILL')
  const primary = await until('a new primary', 30_000, async () => await group.findPrimary(killed))
  const promotedMs = performance.now()
  const resumedMs = await waitForDecision(async (client) => await fetchKeys(primary.port, client), send) - promotedMs
  t.comment(`Redis decides ${Math.round(resumedMs)} ms after the promotion`)
  t.ok(resumedMs < RESUMED_WITHIN_MS)
})
