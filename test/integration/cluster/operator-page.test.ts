import t from 'tap'
import { fetchSlot, moveSlot, startCluster } from '../../fixtures/cluster.js'
import { listOthers, startPageInstance } from '../../fixtures/page-fleet.js'
import { until } from '../../fixtures/until.js'

t.test('instances on a Cluster show each other, also when their slot moves, and follow one switch', async (t) => {
  const cluster = await startCluster(t)
  const options = { redis: cluster.target, deadline: 5000 }
  const [one, two] = [await startPageInstance(t, options), await startPageInstance(t, options)]
  const seeEachOther = async () => {
    for (const { look } of [one, two]) await until('the other', 20_000, async () => listOthers(await look()).length === 1)
  }
  await seeEachOther()
  const key = 'sluice:{page:app}:instances'
  const owner = await cluster.findOwner(key)
  const [other] = cluster.primaries.filter((node) => node !== owner)
  await moveSlot(await fetchSlot(owner, key), owner, other, cluster.primaries)
  await seeEachOther()
  t.equal((await one.switchTo(false, 'all')).statusCode, 200)
  await until('the switch', 20_000, async () => (await two.app.inject('/admin/rate-limit/state')).json().enabled === false)
  t.equal((await one.look()).fleet.problem, null)
})
