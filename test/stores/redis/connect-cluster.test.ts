// Which options a client of a Cluster and its nodes have, and how its slots are refreshed. None of them opens a socket.
import t, { type Test } from 'tap'
import { Cluster, Command, type Redis } from 'ioredis'
import type { Authenticator } from '../../../lib/stores/redis/authenticator.js'
import { refreshSlots, type ClusterTarget } from '../../../lib/stores/redis/connect.js'
import { DEFAULTS, open, optionsOf, type Options } from '../../fixtures/captured-clients.js'
import { FakeCluster, FakeConnection, settle, stopTime } from '../../fixtures/fake-connection.js'

const NODES = [{ host: 'one.example', port: 7000 }, { host: 'two.example', port: 7001 }]
const UNCHANGED = new Cluster([], { lazyConnect: true }).options

t.test('each node of a Cluster has its credentials, and a limit of time', async (t) => {
  const pass = stopTime(t)
  const attached: unknown[] = []
  const authenticator = { attach: (client: Redis) => { attached.push(client) } } as Authenticator
  for (const options of [{ authenticator }, {}]) {
    const { clients: [cluster] } = open(t, { cluster: NODES }, options)
    t.strictSame(attached, [])
    const node = Object.assign(new FakeConnection(), { status: 'connecting' })
    node.reply = () => 'sent'
    cluster.emit('+node', node)
    t.strictSame(attached.splice(0), options.authenticator ? [node] : [])
    const command = new Command('evalsha', [])
    node.sendCommand(command)
    const rejected = t.rejects(command.promise, { message: 'the node was not connected in time' })
    await pass(80)
    await rejected
  }
})

t.test('a Cluster repeats no call, and its nodes have the options of a connection', async (t) => {
  const { clients: [cluster] } = open(t, { cluster: NODES, redisOptions: { connectionName: 'limits' } })
  t.strictSame(Reflect.get(cluster, 'startupNodes'), NODES)
  const { clusterRetryStrategy, dnsLookup, redisOptions, ...options } = cluster.options as unknown as Options
  t.match(options, {
    enableOfflineQueue: true,
    slotsRefreshTimeout: 800,
    slotsRefreshInterval: 0,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    maxRedirections: 8,
    retryDelayOnTryAgain: 6,
    lazyConnect: true
  })
  t.match(redisOptions, { ...DEFAULTS, connectionName: 'limits' })
  t.equal(redisOptions.tls, undefined)
  const delayMs = clusterRetryStrategy(1)
  t.ok(delayMs >= 50 && delayMs <= 100, `${delayMs} ms`)
  t.equal(dnsLookup, UNCHANGED.dnsLookup)
})

t.test('the application may set options of a Cluster, but not how its slots are refreshed', async (t) => {
  const clusterOptions = { maxRedirections: 3, slotsRefreshInterval: 500, lazyConnect: false, enableOfflineQueue: false }
  const options = optionsOf(t, { cluster: NODES, clusterOptions, redisOptions: { lazyConnect: false } })
  const expected = { maxRedirections: 3, slotsRefreshInterval: 0, enableOfflineQueue: false, lazyConnect: true }
  t.match(options, { ...expected, redisOptions: { lazyConnect: true } })
})

for (const [deadlineMs, redisOptions, slotsRefreshTimeout, retryDelayOnTryAgain] of [
  [0, {}, 800, 1],
  [7, {}, 800, 1],
  [100, { connectTimeout: 400 }, 600, 12],
  [160, {}, 800, 20],
  [1000, {}, 4000, 20],
  [1000, { connectTimeout: 5000 }, 5100, 20],
  [50, { connectTimeout: undefined }, 800, 6]
] as const) {
  t.test(`with a deadline of ${deadlineMs} ms and ${JSON.stringify(redisOptions)} the times of a Cluster follow`, async (t) => {
    t.match(optionsOf(t, { cluster: NODES, redisOptions }, { deadlineMs }), { slotsRefreshTimeout, retryDelayOnTryAgain })
  })
}

const OWN_TLS = { servername: 'redis.example' }

for (const [why, target, expected] of [
  ['a URL with TLS', { cluster: ['redis://one.example', 'rediss://two.example'] }, {}],
  ['a URL in capital letters', { cluster: ['REDISS://one.example'] }, {}],
  ['URLs without', { cluster: ['redis://one.example', '//one.example?name=rediss://'] }, undefined],
  ['a node with TLS', { cluster: [NODES[0], { ...NODES[1], tls: OWN_TLS }, 'rediss://three.example'] }, OWN_TLS],
  ['a node without', { cluster: [{ ...NODES[1], tls: undefined }] }, undefined],
  ['the options of nodes', { cluster: ['rediss://two.example'], redisOptions: { tls: OWN_TLS } }, OWN_TLS],
  ['a node, where options name none', { cluster: ['rediss://two.example'], redisOptions: { tls: undefined } }, {}],
  ['a node after one without', { cluster: [{ ...NODES[1], tls: undefined }, 'rediss://two.example'] }, {}]
] as ReadonlyArray<readonly [string, ClusterTarget, unknown]>) {
  t.test(`TLS of a Cluster by ${why}: it holds for all nodes, and names stay those of hosts`, async (t) => {
    const { redisOptions, dnsLookup } = optionsOf(t, target)
    t.strictSame(redisOptions.tls, expected)
    const names: unknown[] = []
    const isKept = dnsLookup !== UNCHANGED.dnsLookup
    t.equal(isKept, expected !== undefined)
    if (isKept) dnsLookup('one.example', (...args: readonly unknown[]) => { names.push(args) })
    t.strictSame(names, isKept ? [[null, 'one.example']] : [])
  })
}

function refresh (t: Test, intervalMs: number) {
  const pass = stopTime(t)
  const cluster = Object.assign(new FakeCluster(), { refreshes: 0, refreshSlotsCache () { cluster.refreshes++ } })
  refreshSlots(cluster.asCluster(), intervalMs)
  return { cluster, pass }
}

t.test('slots are refreshed while a Cluster is ready, until it disconnects', async (t) => {
  const { cluster, pass } = refresh(t, 100)
  cluster.emit('disconnecting')
  await pass(500)
  t.equal(cluster.refreshes, 0)
  cluster.emit('ready')
  await pass(50)
  cluster.emit('ready')
  await pass(49)
  t.equal(cluster.refreshes, 0)
  await pass(1)
  t.equal(cluster.refreshes, 1)
  cluster.status = 'reconnecting'
  await pass(100)
  t.equal(cluster.refreshes, 1)
  cluster.status = 'ready'
  await pass(100)
  t.equal(cluster.refreshes, 2)
  cluster.emit('disconnecting')
  await pass(500)
  t.equal(cluster.refreshes, 2)
  cluster.emit('ready')
  await pass(100)
  t.equal(cluster.refreshes, 3)
})

t.test('without an interval they are never refreshed', async (t) => {
  const { cluster } = refresh(t, 0)
  t.strictSame(cluster.eventNames(), [])
})

for (const [clusterOptions, everyMs] of [[{}, 1000], [{ slotsRefreshInterval: 300 }, 300]] as const) {
  t.test(`slots of our Cluster are refreshed every ${everyMs} ms`, async (t) => {
    const pass = stopTime(t)
    const { clients: [client] } = open(t, { cluster: NODES, clusterOptions })
    let refreshes = 0
    Object.assign(client, { status: 'ready', refreshSlotsCache: () => { refreshes++ } })
    client.emit('ready')
    await pass(everyMs - 1)
    t.equal(refreshes, 0)
    await pass(1)
    t.equal(refreshes, 1)
    client.emit('disconnecting')
    await settle()
  })
}
