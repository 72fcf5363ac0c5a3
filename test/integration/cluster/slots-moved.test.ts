import t from 'tap'
import { moveSlot, fetchSlot, startCluster } from '../../fixtures/cluster.js'
import { createClientNames, createClusterApp } from '../../fixtures/cluster-app.js'
import { callServer } from '../../fixtures/sentinel.js'

const MAX = 40
const CLIENTS = createClientNames('client', 12)

t.test('limits hold while slots move from node to node under load', async (t) => {
  const cluster = await startCluster(t)
  const { send } = await createClusterApp(t, {
    redis: cluster.target, deadline: 5000, failureMode: 'closed', max: MAX, timeWindow: '1 hour', algorithm: 'sliding-window'
  })
  const granted = new Map<string, number>()
  const others = new Set<number>()
  async function spend (client: string): Promise<void> {
    for (let i = 0; i < MAX + 5; i++) {
      const status = await send(client)
      if (status === 200) granted.set(client, (granted.get(client) ?? 0) + 1)
      else if (status !== 429) others.add(status)
      // Slow enough that the slots move meanwhile.
      await new Promise((resolve) => { setTimeout(resolve, 10) })
    }
  }
  const spending = Promise.all(CLIENTS.flatMap((client) => [spend(client), spend(client)]))
  let moved = 0
  for (const client of CLIENTS) {
    const key = `sluice:{key:${client}}`
    const owner = await cluster.findOwner(key)
    const [other] = cluster.primaries.filter((node) => node !== owner)
    await moveSlot(await fetchSlot(owner, key), owner, other, cluster.primaries)
    moved++
  }
  const keptBefore = await Promise.all(cluster.primaries.map(async ({ port }) => await callServer(port, ['DBSIZE'])))
  await spending
  t.equal(moved, CLIENTS.length, `moved under load, keys per node then: ${keptBefore}`)
  t.strictSame([...others], [], 'no call failed')
  t.strictSame(CLIENTS.map((client) => granted.get(client)), CLIENTS.map(() => MAX))
})
