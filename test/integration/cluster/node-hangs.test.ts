import t from 'tap'
import { startCluster } from '../../fixtures/cluster.js'
import { createClientNames, createClusterApp, waitForDecision, RESUMED_WITHIN_MS } from '../../fixtures/cluster-app.js'
import { callServer, fetchKeys } from '../../fixtures/sentinel.js'
import { startProxy } from '../../fixtures/tcp-proxy.js'
import { until } from '../../fixtures/until.js'

const WHILE_STOPPED = 6

t.test('a call that a stopped node of a Cluster did not answer is not made again', async (t) => {
  const cluster = await startCluster(t)
  const { app, send } = await createClusterApp(t, {
    redis: cluster.target, deadline: 100, breaker: { failures: 1_000_000 }, max: 100, timeWindow: '10 hours', algorithm: 'fixed-window'
  })
  t.equal(await send('client'), 200)
  const owner = await cluster.findOwner('sluice:{key:client}')

  owner.signal('SIGSTOP')
  for (let i = 0; i < WHILE_STOPPED; i++) t.equal(await send('client'), 200, 'decided in memory')
  owner.signal('SIGCONT')

  // What lay in its buffers is run late, and charged; it may be told twice only if it was sent twice.
  let used = NaN
  let sinceMs = 0
  await until('the charges come to rest', 30_000, async () => {
    await callServer(owner.port, ['PING'])
    const [standing] = await app.rateLimit.peek('key:client').catch(() => [])
    if (standing === undefined) return false
    const now = standing.limit - standing.remaining
    if (now !== used) sinceMs = performance.now()
    used = now
    return performance.now() - sinceMs > 1000
  })
  t.comment(`${used} charged of ${1 + WHILE_STOPPED} sent`)
  t.ok(used >= 1 && used <= 1 + WHILE_STOPPED)
})

t.test('a connection to a node of a Cluster that says nothing any more is made anew', async (t) => {
  const cluster = await startCluster(t)
  const proxies = await Promise.all(cluster.primaries.map(async ({ port }) => await startProxy(t, port)))
  const natMap = Object.fromEntries(cluster.primaries.map(({ port }, index) => [`127.0.0.1:${port}`, { host: '127.0.0.1', port: proxies[index].port }]))
  const { send } = await createClusterApp(t, { redis: { ...cluster.target, clusterOptions: { natMap } }, max: 5, timeWindow: '1 hour' })
  t.strictSame(await Promise.all(createClientNames('client', 12).map(send)), Array(12).fill(200), 'connected to each node')

  for (const proxy of proxies) proxy.abandon()
  const abandonedMs = performance.now()
  const keysOfAll = async (client: string) => (await Promise.all(cluster.primaries.map(async ({ port }) => await fetchKeys(port, client)))).flat()
  const resumedMs = await waitForDecision(keysOfAll, send) - abandonedMs
  t.comment(`Redis decides again after ${Math.round(resumedMs)} ms`)
  t.ok(resumedMs < RESUMED_WITHIN_MS)
})
