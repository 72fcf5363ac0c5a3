import t from 'tap'
import { startCluster } from '../../fixtures/cluster.js'
import { createClientNames, createClusterApp } from '../../fixtures/cluster-app.js'
import { callServer } from '../../fixtures/sentinel.js'

/** Far more than any call takes: a slow machine must not end a call in the failure mode. */
const NO_HURRY = { deadline: 5000, failureMode: 'closed' } as const

t.test('a limit holds for clients on all nodes of a Cluster', async (t) => {
  const cluster = await startCluster(t)
  const clients = createClientNames('client', 30)
  const { send } = await createClusterApp(t, { ...NO_HURRY, redis: cluster.target, max: 4, timeWindow: '1 hour' })
  const granted = await Promise.all(clients.map(async (client) => {
    const statuses = await Promise.all(Array.from({ length: 10 }, async () => await send(client)))
    t.notOk(statuses.some((status) => status !== 200 && status !== 429), `${client}: ${statuses}`)
    return statuses.filter((status) => status === 200).length
  }))
  t.strictSame(granted, clients.map(() => 4))

  const kept = await Promise.all(cluster.primaries.map(async ({ port }) => await callServer(port, ['DBSIZE']) as number))
  t.notOk(kept.includes(0), `each node has some of the clients: ${kept}`)
  t.equal(kept.reduce((sum, keys) => sum + keys), clients.length)
})

t.test('each node of a Cluster is told the scripts that it does not know', async (t) => {
  const cluster = await startCluster(t)
  const { send } = await createClusterApp(t, { ...NO_HURRY, redis: cluster.target, max: 2, timeWindow: '1 hour' })
  const clients = createClientNames('client', 20)
  t.strictSame(await Promise.all(clients.map(send)), clients.map(() => 200), 'none knew them')
  await Promise.all(cluster.primaries.map(async ({ port }) => await callServer(port, ['SCRIPT', 'FLUSH'])))
  t.strictSame(await Promise.all(clients.map(send)), clients.map(() => 200), 'all forgot them')
  t.strictSame(await Promise.all(clients.map(send)), clients.map(() => 429), 'and counted all the same')
})
