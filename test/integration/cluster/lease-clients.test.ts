// A Cluster client that may send a call twice: nothing is leased.
import { once } from 'node:events'
import { Cluster, type ClusterOptions, type NatMap } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import t, { type Test } from 'tap'
import Fastify from 'fastify'
import { limiterClientOptions, rateLimitPlugin, type RedisTarget } from '../../../lib/index.js'
import { maySendTwice } from '../../../lib/stores/redis/client-behavior.js'
import { startCluster } from '../../fixtures/cluster.js'
import { startProxy } from '../../fixtures/tcp-proxy.js'
import { mute } from '../../fixtures/muted.js'
import { until } from '../../fixtures/until.js'

const { target, findOwner } = await startCluster(t)

const OPTIONS: ReadonlyArray<readonly [why: string, options: ClusterOptions, isSentTwice: boolean]> = [
  ['without options', {}, true],
  ['with our options, but for a failover', { redisOptions: limiterClientOptions() }, true],
  ['with our options', { redisOptions: limiterClientOptions(), retryDelayOnFailover: 0 }, false],
  ['that fails such calls', { retryDelayOnFailover: 0 }, false],
  ['whose connections reconnect', { retryDelayOnFailover: 0, clusterNodeRetryStrategy: () => 10 }, true],
  ['whose connections reconnect, with our options', { retryDelayOnFailover: 0, clusterNodeRetryStrategy: () => 10, redisOptions: limiterClientOptions() }, false]
]

/** A client that may send a call twice fails instead if the Cluster, on a busy machine, is down for a moment. */
const TRIES = 5

/** How often the Cluster executes a call whose connection breaks before the reply. */
async function countExecutions (t: Test, create: (natMap: NatMap) => Cluster, isSentTwice: boolean, key: string): Promise<number> {
  const owner = await findOwner(key)
  const proxy = await startProxy(t, owner.port)
  const client = create({ [`127.0.0.1:${owner.port}`]: { host: '127.0.0.1', port: proxy.port } })
  const reader = new Cluster([...target.cluster])
  client.on('error', () => {})
  t.teardown(() => {
    client.disconnect()
    reader.disconnect()
  })
  await until('a Cluster', 10_000, async () => client.status === 'ready')
  await client.set(key, 1000)
  const [connection] = client.nodes('master').filter(({ options: { port } }) => port === proxy.port)
  const closed = once(connection, 'close')
  t.equal(maySendTwice(client), isSentTwice)
  proxy.faults.resetNextReply = true
  // Once it is settled, the client sends it no more.
  const settled = client.incr(key).then(() => {}, () => {})
  await closed
  await settled
  return await until('the count', 10_000, async () => Number(await reader.get(key))) - 1000
}

for (const [name, create] of [
  ['ioredis 6', (options: ClusterOptions) => new Cluster([...target.cluster], options)],
  ['ioredis 5', (options: ClusterOptions) => new Cluster5([...target.cluster], options as object) as unknown as Cluster]
] as const) {
  for (const [why, options, isSentTwice] of OPTIONS) {
    t.test(`${name}, a Cluster client ${why}, sends a call ${isSentTwice ? 'twice' : 'once'}`, async (t) => {
      let executions = 0
      for (let tried = 0; executions !== 2 && tried < (isSentTwice ? TRIES : 1); tried++) {
        executions = await countExecutions(t, (natMap) => create({ ...options, natMap }), isSentTwice, `${name} ${why} ${tried}`)
      }
      t.equal(executions, isSentTwice ? 2 : 1)
    })
  }
}

const targets: ReadonlyArray<readonly [why: string, create: () => RedisTarget, reason: string | null]> = [
  ['nodes', () => target, null],
  ['nodes, with a retry after a failover', () => ({ ...target, clusterOptions: { retryDelayOnFailover: 100 } }), 'client-resends'],
  ['a client without options', () => new Cluster([...target.cluster]), 'client-resends'],
  ['a client with our options', () => new Cluster([...target.cluster], { redisOptions: limiterClientOptions(), retryDelayOnFailover: 0 }), null]
]
for (const [why, create, reason] of targets) {
  t.test(`the target is ${why}`, async (t) => {
    mute(t, 'FST_SLUICE_WARN_CLIENT_RESENDS')
    const redis = create()
    const app = Fastify()
    t.teardown(async () => {
      await app.close()
      if (redis instanceof Cluster) redis.disconnect()
    })
    await app.register(rateLimitPlugin, { max: 1000, redis, leases: true })
    await app.ready()
    t.equal(app.rateLimit.explain().policies[0].leases[0].reason, reason)
  })
}
