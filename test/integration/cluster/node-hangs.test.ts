import t from 'tap'
import { startCluster } from '../../fixtures/cluster.js'
import { clusterApp } from '../../fixtures/cluster-app.js'
import { askServer } from '../../fixtures/sentinel.js'
import { until } from '../../fixtures/until.js'

const WHILE_STOPPED = 6

t.test('a call that a stopped node of a Cluster did not answer is not made again', async (t) => {
  const cluster = await startCluster(t)
  const { app, ask } = await clusterApp(t, {
    redis: cluster.target, deadline: 100, breaker: { failures: 1_000_000 }, max: 100, timeWindow: '10 hours', algorithm: 'fixed-window'
  })
  t.equal(await ask('client'), 200)
  const owner = await cluster.ownerOf('sluice:{key:client}')

  owner.signal('SIGSTOP')
  for (let i = 0; i < WHILE_STOPPED; i++) t.equal(await ask('client'), 200, 'decided in memory')
  owner.signal('SIGCONT')

  // What lay in its buffers is run late, and charged; it may be told twice only if it was sent twice.
  let used = NaN
  let sinceMs = 0
  await until('the charges come to rest', 10_000, async () => {
    await askServer(owner.port, ['PING'])
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
