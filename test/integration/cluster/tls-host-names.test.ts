// A Cluster over TLS whose certificates have host names and no addresses, as those of managed services.
import { Cluster, type ClusterOptions, type RedisOptions } from 'ioredis'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../../lib/index.js'
import { limitedApp } from '../../fixtures/app.js'
import { createClientNames, createClusterApp } from '../../fixtures/cluster-app.js'
import { freePort, startRedis } from '../../fixtures/redis-server.js'
import { callServer } from '../../fixtures/sentinel.js'
import { until } from '../../fixtures/until.js'
import { createAuthority, skipReason, type Authority } from '../tls/authority.js'

const HOST = 'localhost'
const HOST_NAMES = ['--cluster-announce-hostname', HOST, '--cluster-preferred-endpoint-type', 'hostname']

/** Start two nodes that speak TLS to clients and to each other. Answers their ports for TLS, and for the test. */
async function startTlsCluster (t: Test, { certFile, keyFile, caFile }: Authority, args: readonly string[]): Promise<{ readonly ports: number[], readonly plainPorts: number[] }> {
  const ports = [await freePort(), await freePort()]
  const servers = await Promise.all(ports.map((port) => startRedis(t, [
    '--tls-port', String(port), '--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', caFile,
    '--tls-auth-clients', 'no', '--tls-cluster', 'yes', '--cluster-enabled', 'yes', ...args
  ])))
  const plainPorts = servers.map(({ port }) => port)
  await callServer(plainPorts[0], ['CLUSTER', 'ADDSLOTSRANGE', '0', '8191'])
  await callServer(plainPorts[1], ['CLUSTER', 'ADDSLOTSRANGE', '8192', '16383'])
  await callServer(plainPorts[1], ['CLUSTER', 'MEET', '127.0.0.1', String(ports[0])])
  await Promise.all(plainPorts.map((port) => until('a cluster that is well', 30_000, async () => {
    const nodes = String(await callServer(port, ['CLUSTER', 'NODES'])).split('\n').filter((line) => line.includes(' connected '))
    return nodes.length === 2 && String(await callServer(port, ['CLUSTER', 'INFO'])).includes('cluster_state:ok')
  })))
  return { ports, plainPorts }
}

/** Limits hold, and both nodes have some of them. */
async function assertLimits (t: Test, redis: RateLimitOptions['redis'], plainPorts: readonly number[]): Promise<void> {
  const { send } = await createClusterApp(t, { redis, max: 1, timeWindow: '1 hour' })
  for (const client of createClientNames(t.name, 20)) {
    t.strictSame([await send(client), await send(client)], [200, 429], client)
  }
  for (const port of plainPorts) t.not(await callServer(port, ['DBSIZE']), 0, 'keys of a node')
}

t.test('certificates with host names only', { skip: skipReason }, async (t) => {
  const authority = createAuthority(t, `DNS:${HOST}`)
  const { ca } = authority

  await t.test('nodes that announce their host names', async (t) => {
    const { ports, plainPorts } = await startTlsCluster(t, authority, HOST_NAMES)
    const cluster = ports.map((port) => ({ host: HOST, port }))
    const targets: Readonly<Record<string, RateLimitOptions['redis']>> = {
      'the recipe of the guide': { cluster, redisOptions: { tls: { ca } } },
      'one node': { cluster: cluster.slice(1), redisOptions: { tls: { ca } } },
      'TLS of a node holds for all': { cluster: [{ ...cluster[0], tls: { ca } } as typeof cluster[0]] }
    }
    for (const [title, redis] of Object.entries(targets)) await t.test(title, async (t) => { await assertLimits(t, redis, plainPorts) })
    await t.test('the scheme rediss:// requires TLS: a password would be sent in plain text', async (t) => {
      const { app } = await limitedApp(t, { redis: { cluster: [`rediss://:secret@${HOST}:${ports[0]}`] } })
      await until('the cause', 20_000, async () => (await app.rateLimit.health()).lastError === 'SELF_SIGNED_CERT_IN_CHAIN')
    })
    await t.test('a client of the application', async (t) => {
      const options: ClusterOptions = { dnsLookup: (address, callback) => { callback(null, address) }, redisOptions: { tls: { ca } } }
      const client = new Cluster(cluster, options)
      client.on('error', () => {})
      t.teardown(() => { client.disconnect() })
      await assertLimits(t, client, plainPorts)
    })
  })

  await t.test('nodes that announce their addresses, with servername', async (t) => {
    const { ports, plainPorts } = await startTlsCluster(t, authority, ['--cluster-announce-ip', '127.0.0.1'])
    const redisOptions: RedisOptions = { tls: { ca, servername: HOST } }
    await assertLimits(t, { cluster: [{ host: HOST, port: ports[0] }], redisOptions }, plainPorts)
  })
})
