import t from 'tap'
import { startCluster } from '../../fixtures/cluster.js'
import { createClientNames, createClusterApp } from '../../fixtures/cluster-app.js'

const CLIENTS = createClientNames('client', 6)

/** Of a client, of the address that all clients share, and of all: three partitions, on different nodes. */
const CASES = [
  { algorithm: 'fixed-window', why: 'counts come back whole' },
  { algorithm: 'sliding-window', why: 'grants leave the log again' },
  { algorithm: 'token-bucket', why: 'the backlog shrinks again' }
] as const

t.test('on a Cluster, limits on several partitions', async (t) => {
  const cluster = await startCluster(t)
  for (const { algorithm, why } of CASES) {
    t.test(`are charged all or none, after many requests at once: ${algorithm}, ${why}`, async (t) => {
      const window = { timeWindow: '10 hours', algorithm }
      const { app, send } = await createClusterApp(t, {
        name: algorithm,
        redis: cluster.target,
        deadline: 5000,
        failureMode: 'closed',
        limits: [
          { name: 'own', max: 10, by: 'client', ...window },
          { name: 'address', max: 1000, by: 'ip', ...window },
          { name: 'all', max: 40, by: 'global', ...window }
        ]
      })
      let granted = 0
      const others: number[] = []
      const grantedTo = new Map<string, number>()
      await Promise.all(CLIENTS.flatMap((client) => Array.from({ length: 25 }, async () => {
        const status = await send(client)
        if (status !== 200 && status !== 429) others.push(status)
        if (status !== 200) return
        granted++
        grantedTo.set(client, (grantedTo.get(client) ?? 0) + 1)
      })))
      t.strictSame(others, [])
      t.ok(granted <= 40, `${granted} granted of 40`)

      // Requests that were refused held units of the other limits for a moment; all of them are back.
      const usedOf = async (partition: string) => {
        const [{ limit, remaining }] = (await app.rateLimit.peek(partition)).filter(({ name }) => name === nameOf(partition))
        return limit - remaining
      }
      t.equal(await usedOf('global'), granted, 'the limit of all')
      t.equal(await usedOf('ip:127.0.0.1'), granted, 'the limit of the address')
      for (const client of CLIENTS) t.equal(await usedOf(`key:${client}`), grantedTo.get(client) ?? 0, client)

      // What is left can be had to the last unit, one after the other.
      let left = 0
      for (let i = 0; i < 20; i++) for (const client of CLIENTS) if (await send(client) === 200) left++
      t.equal(granted + left, 40)
    })
  }
})

function nameOf (partition: string): string {
  return partition === 'global' ? 'all' : partition.startsWith('ip:') ? 'address' : 'own'
}
