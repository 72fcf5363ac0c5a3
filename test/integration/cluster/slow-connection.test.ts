// ioredis keeps calls for a node of a Cluster until it is connected. A request waits for no longer than the deadline.
import t from 'tap'
import { startCluster, type ClusterNode } from '../../fixtures/cluster.js'
import { createClientNames, createClusterApp } from '../../fixtures/cluster-app.js'
import { startLoad } from '../../fixtures/load.js'
import { fetchKeys } from '../../fixtures/sentinel.js'
import { startHangingPort, startProxy } from '../../fixtures/tcp-proxy.js'
import { sleep, until } from '../../fixtures/until.js'

/** Tells ioredis another port for a node. */
function instead (node: ClusterNode, port: number): { clusterOptions: { natMap: Record<string, { host: string, port: number }> } } {
  return { clusterOptions: { natMap: { [`127.0.0.1:${node.port}`]: { host: '127.0.0.1', port } } } }
}

t.test('what waited too long for a node to be connected is not charged later', async (t) => {
  const cluster = await startCluster(t)
  const slow = await cluster.findOwner('sluice:{key:client}')
  const proxy = await startProxy(t, slow.port)
  const { send, app } = await createClusterApp(t, {
    redis: { cluster: cluster.target.cluster.filter(({ port }) => port !== slow.port), ...instead(slow, proxy.port) },
    deadline: 300,
    breaker: { failures: 1_000_000 },
    max: 100,
    timeWindow: '10 hours',
    algorithm: 'fixed-window'
  })
  t.equal(await send('client'), 200)

  // The connection is lost, and the next one takes two round trips until it is ready.
  await proxy.refuse()
  proxy.faults.latencyMs = 600
  await proxy.accept()
  const { connections } = proxy
  for (let i = 0; i < 3; i++) t.equal(await send('client'), 200, 'decided in memory')
  t.ok(proxy.connections > connections, 'it is being connected')
  await sleep(1500)

  proxy.faults.latencyMs = 0
  const used = await until('an answer of the node', 30_000, async () => {
    const [{ limit, remaining }] = await app.rateLimit.peek('key:client')
    return limit - remaining
  })
  t.equal(used, 1, 'only what Redis decided')
  t.equal(await send('client'), 200)
  const [{ remaining }] = await app.rateLimit.peek('key:client')
  t.equal(remaining, 98, 'Redis decides again')
})

t.test('an application that starts under load answers all, though connecting to one node of a Cluster hangs', async (t) => {
  const cluster = await startCluster(t)
  const [hanging, ...others] = cluster.primaries
  const clients = createClientNames('client', 60)
  const owners = await Promise.all(clients.map(async (client) => await cluster.findOwner(`sluice:{key:${client}}`)))
  const port = await startHangingPort(t)
  const { app } = await createClusterApp(t, {
    redis: { cluster: others.map(({ port }) => ({ host: '127.0.0.1', port })), ...instead(hanging, port) }, max: 100_000, timeWindow: '1 hour', algorithm: 'fixed-window'
  })
  const load = startLoad(app, clients)
  const reachable = clients.filter((_client, index) => owners[index] !== hanging)
  await until('Redis decides for the clients of the other nodes', 30_000, async () => {
    const kept = await Promise.all(others.flatMap(({ port }) => reachable.map(async (client) => await fetchKeys(port, client))))
    return kept.flat().length === reachable.length
  })
  await until('many requests', 30_000, () => (load.statuses.get(200) ?? 0) > 500)
  await load.stop()
  t.equal(load.countFaults(), 0, 'nobody saw an error')
  t.strictSame([...load.statuses.keys()], [200])
  t.strictSame((await Promise.all(clients.map(async (client) => await fetchKeys(hanging.port, client)))).flat(), [], 'nothing reached the one that hangs')
})
