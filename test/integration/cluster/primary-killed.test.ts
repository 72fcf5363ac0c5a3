import t from 'tap'
import { startCluster } from '../../fixtures/cluster.js'
import { clientsOf, clusterApp, decidedBy, RESUMED_WITHIN_MS } from '../../fixtures/cluster-app.js'
import { startLoad } from '../../fixtures/load.js'
import { askServer, keysOf } from '../../fixtures/sentinel.js'
import { until } from '../../fixtures/until.js'

t.test('a killed node of a Cluster causes no error, and its replica goes on with what was counted', async (t) => {
  const cluster = await startCluster(t, { hasReplicas: true })
  const [killed] = cluster.primaries
  const [heir] = cluster.replicas
  const { app, ask } = await clusterApp(t, { redis: cluster.target, max: 5, timeWindow: '1 hour' })

  // One of them for each node at least.
  const spenders = clientsOf('spender', 12)
  for (const spender of spenders) for (let i = 0; i < 5; i++) t.equal(await ask(spender), 200)
  t.ok(await askServer(killed.port, ['WAIT', '1', '1000']), 'the replica has it')

  const load = startLoad(app, clientsOf('client', 50))
  await until('a load', 30_000, () => (load.statuses.get(429) ?? 0) > 50)
  killed.signal('SIGKILL')
  await until('a new primary', 30_000, async () => (await askServer(heir.port, ['ROLE']) as [string])[0] === 'master')
  const promotedMs = performance.now()
  const resumedMs = await decidedBy(async (client) => await keysOf(heir.port, client), ask) - promotedMs
  t.comment(`the new primary decides ${Math.round(resumedMs)} ms after the promotion`)
  t.ok(resumedMs < RESUMED_WITHIN_MS)

  t.strictSame(await Promise.all(spenders.map(ask)), spenders.map(() => 429), 'what was spent stays spent')
  await load.stop()
  t.equal(load.faults(), 0, 'nobody saw an error')
})
