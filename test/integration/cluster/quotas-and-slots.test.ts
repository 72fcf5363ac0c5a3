import t from 'tap'
import { startCluster } from '../../fixtures/cluster.js'
import { createClientNames, createClusterApp } from '../../fixtures/cluster-app.js'
import { until } from '../../fixtures/until.js'

/** Far more than any call takes: a slow machine must not end a call in the failure mode. */
const NO_HURRY = { deadline: 5000, failureMode: 'closed' } as const

t.test('quotas and slots hold for clients on all nodes of a Cluster', async (t) => {
  const cluster = await startCluster(t)
  const clients = createClientNames('client', 30)

  t.test('a quota beside a limit grants its units once, and usage reports them', async (t) => {
    const { app, send } = await createClusterApp(t, {
      ...NO_HURRY,
      name: 'quotas',
      redis: cluster.target,
      limits: [{ name: 'burst', max: 100, timeWindow: '1 hour' }, { name: 'yearly', max: 4, period: 'year' }]
    })
    const granted = await Promise.all(clients.map(async (client) => {
      const statuses = await Promise.all(Array.from({ length: 8 }, async () => await send(client)))
      return statuses.filter((status) => status === 200).length
    }))
    t.strictSame(granted, clients.map(() => 4))
    t.match(await app.rateLimit.usage('key:client-0'), [{ name: 'yearly', used: 4, limit: 4 }])
  })

  t.test('no more than max requests of a client are in flight in two processes\' stores, and all slots return', async (t) => {
    const options = { ...NO_HURRY, name: 'slots', redis: cluster.target, max: 1000, timeWindow: '1 hour' }
    const apps = await Promise.all([1, 2].map(async () => await createClusterApp(t, options)))
    const take = async (i: number, client: string) => {
      const decision = await apps[i].app.rateLimit.consume(`key:${client}`, { max: 1000, timeWindow: '1 hour', groupId: 'slots', concurrency: { max: 3 } })
      if (decision === null) throw new Error('not limited')
      return decision
    }
    for (const client of clients) {
      const decisions = await Promise.all(Array.from({ length: 8 }, async (_, i) => await take(i % 2, client)))
      const held = decisions.filter(({ isRefused }) => !isRefused)
      t.ok(held.length > 0 && held.length <= 3, `${client}: ${held.length}`)
      await Promise.all(held.map(async (decision) => { await decision.release() }))
    }
    await until('a slot is free again for each client', 10_000, async () => {
      const again = await Promise.all(clients.map(async (client) => await take(0, client)))
      await Promise.all(again.map(async (decision) => { await decision.release() }))
      return again.every(({ isRefused }) => !isRefused)
    })
  })
})
