import t from 'tap'
import { listOthers, startPageInstance } from '../../fixtures/page-fleet.js'
import { startSentinelGroup } from '../../fixtures/sentinel.js'
import { until } from '../../fixtures/until.js'

t.test('instances show each other again once a killed primary is replaced', async (t) => {
  const group = await startSentinelGroup(t)
  const options = { redis: group.target, deadline: 500 }
  const [one, two] = [await startPageInstance(t, options), await startPageInstance(t, options)]
  const seeEachOther = async () => {
    for (const { look } of [one, two]) await until('the other', 60_000, async () => listOthers(await look()).length === 1)
  }
  await seeEachOther()
  const [killed] = group.servers
  killed.signal('SIGKILL')
  await until('a new primary', 60_000, async () => await group.findPrimary(killed))
  await seeEachOther()
  t.equal((await one.switchTo(false, 'all')).statusCode, 200)
  await until('the switch', 20_000, async () => (await two.app.inject('/admin/rate-limit/state')).json().enabled === false)
})
