// ioredis keeps calls for a node of a Cluster until it is connected. A request waits for no longer than the deadline.
import t from 'tap'
import { startCluster, type ClusterNode } from '../../fixtures/cluster.js'
import { clusterApp } from '../../fixtures/cluster-app.js'
import { startProxy } from '../../fixtures/tcp-proxy.js'
import { until } from '../../fixtures/until.js'

/** Tells ioredis another port for a node. */
function instead (node: ClusterNode, port: number): { clusterOptions: { natMap: Record<string, { host: string, port: number }> } } {
  return { clusterOptions: { natMap: { [`127.0.0.1:${node.port}`]: { host: '127.0.0.1', port } } } }
}

t.test('what waited too long for a node to be connected is not charged later', async (t) => {
  const cluster = await startCluster(t)
  const slow = await cluster.ownerOf('sluice:{key:client}')
  const proxy = await startProxy(t, slow.port)
  const { ask, app } = await clusterApp(t, {
    redis: { cluster: cluster.target.cluster.filter(({ port }) => port !== slow.port), ...instead(slow, proxy.port) },
    deadline: 50,
    breaker: { failures: 1_000_000 },
    max: 100,
    timeWindow: '10 hours',
    algorithm: 'fixed-window'
  })
  t.equal(await ask('client'), 200)

  // The connection is lost, and the next one takes two round trips until it is ready.
  await proxy.refuse()
  proxy.weather.latencyMs = 150
  await proxy.accept()
  const { connections } = proxy
  for (let i = 0; i < 3; i++) t.equal(await ask('client'), 200, 'decided in memory')
  t.ok(proxy.connections > connections, 'it is being connected')
  await new Promise((resolve) => { setTimeout(resolve, 500) })

  proxy.weather.latencyMs = 0
  const used = await until('an answer of the node', 5000, async () => {
    const [{ limit, remaining }] = await app.rateLimit.peek('key:client')
    return limit - remaining
  })
  t.equal(used, 1, 'only what Redis decided')
  t.equal(await ask('client'), 200)
  const [{ remaining }] = await app.rateLimit.peek('key:client')
  t.equal(remaining, 98, 'Redis decides again')
})
