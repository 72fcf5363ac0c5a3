// A blocked event loop is not a slow Redis, nor a dead node of a Cluster.
import t from 'tap'
import { startCluster, type ClusterNode } from '../../fixtures/cluster.js'
import { createClientNames, createClusterApp } from '../../fixtures/cluster-app.js'
import { callServer } from '../../fixtures/sentinel.js'
import { until } from '../../fixtures/until.js'

const MAX = 5
const ROUNDS = 3
const DEADLINE_MS = 400

function block (ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** The connections that calls go over; those that ask for slots or hear of changes have a name, and the question is one itself. */
async function connectionsTo ({ port }: ClusterNode): Promise<string[]> {
  const list = String(await callServer(port, ['CLIENT', 'LIST', 'TYPE', 'NORMAL']))
  return list.split('\n').filter((line) => / name= /.test(line) && !/ cmd=client/.test(line)).map((line) => line.split(' ')[0])
}

t.test('blocks of the loop for longer than a node may be silent cost no decision and no connection', async (t) => {
  const cluster = await startCluster(t)
  const { app, send } = await createClusterApp(t, { redis: cluster.target, deadline: DEADLINE_MS, failureMode: 'closed', max: MAX, timeWindow: '1 hour' })
  let tries = 0
  await until('every node is connected', 30_000, async () => (await Promise.all(createClientNames(`first-${tries++}`, 12).map(send))).every((status) => status === 200))
  const { lastError } = await app.rateLimit.health()
  const before = await Promise.all(cluster.primaries.map(connectionsTo))
  t.strictSame(before.map(({ length }) => length), [1, 1, 1])

  for (let round = 0; round < ROUNDS; round++) {
    const clients = createClientNames(`client-${round}`, 6)
    const asked = clients.map(async (client) => await Promise.all(Array.from({ length: MAX + 3 }, async () => await send(client))))
    // The calls have left; their answers come during the block.
    setImmediate(() => setImmediate(() => { block(2.5 * DEADLINE_MS) }))
    const granted = (await Promise.all(asked)).map((statuses) => `${statuses.filter((status) => status === 200).length} ${statuses.filter((status) => status === 429).length}`)
    t.strictSame(granted, clients.map(() => `${MAX} 3`))
  }
  t.match(await app.rateLimit.health(), { status: 'ok', breaker: 'closed', lastError })
  t.strictSame(await Promise.all(cluster.primaries.map(connectionsTo)), before, 'the same connections')
})
