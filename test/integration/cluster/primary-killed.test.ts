import t from 'tap'
import { startCluster } from '../../fixtures/cluster.js'
import { createClientNames, createClusterApp, waitForDecision, RESUMED_WITHIN_MS } from '../../fixtures/cluster-app.js'
import { startLoad } from '../../fixtures/load.js'
import { callServer, fetchKeys } from '../../fixtures/sentinel.js'
import { until } from '../../fixtures/until.js'

t.test('a killed node of a Cluster causes no error, and its replica goes on with what was counted', async (t) => {
  const cluster = await startCluster(t, { hasReplicas: true })
  const [killed] = cluster.primaries
  const [heir] = cluster.replicas
  const { app, send } = await createClusterApp(t, { redis: cluster.target, max: 5, timeWindow: '1 hour' })

  // One of them for each node at least.
  const spenders = createClientNames('spender', 12)
  for (const spender of spenders) for (let i = 0; i < 5; i++) t.equal(await send(spender), 200)
  t.ok(await callServer(killed.port, ['WAIT', '1', '1000']), 'the replica has it')

  const load = startLoad(app, createClientNames('client', 50))
  await until('a load', 30_000, () => (load.statuses.get(429) ?? 0) > 50)
  killed.signal('SIGKILL')
  await until('a new primary', 30_000, async () => (await callServer(heir.port, ['ROLE']) as [string])[0] === 'master')
  const promotedMs = performance.now()
  const resumedMs = await waitForDecision(async (client) => await fetchKeys(heir.port, client), send) - promotedMs
  t.comment(`the new primary decides ${Math.round(resumedMs)} ms after the promotion`)
  t.ok(resumedMs < RESUMED_WITHIN_MS)

  t.strictSame(await Promise.all(spenders.map(send)), spenders.map(() => 429), 'what was spent stays spent')
  await load.stop()
  t.equal(load.countFaults(), 0, 'nobody saw an error')
})
