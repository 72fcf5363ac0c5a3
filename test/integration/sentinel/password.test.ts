import t from 'tap'
import { clusterApp } from '../../fixtures/cluster-app.js'
import { keysOf, startSentinelGroup } from '../../fixtures/sentinel.js'

t.test('sentinels with a password of their own are asked with it', async (t) => {
  const group = await startSentinelGroup(t, { sentinelPassword: 'of-the-sentinels' })
  const { ask } = await clusterApp(t, { redis: group.target, max: 1, timeWindow: '1 hour' })
  t.equal(await ask('client'), 200)
  t.equal(await ask('client'), 429)
  t.equal((await keysOf(group.servers[0].port, 'client')).length, 1, 'the primary counted')
})
