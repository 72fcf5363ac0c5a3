// A failover may forget what was leased a moment ago. Each one grants a key one more burst at most, leases included.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startLeaseFleet } from '../../fixtures/lease-fleet.js'
import { sharedUs, type Stream } from '../../fixtures/lease-node.js'
import { countUnits, neededBurst, ROUNDING } from '../../fixtures/needed-burst.js'
import { startSentinelGroup } from '../../fixtures/sentinel.js'
import { until } from '../../fixtures/until.js'

const PER_US = 500 / 1_000_000

t.test('a killed primary: two bursts at most, and leases begin again', async (t) => {
  const group = await startSentinelGroup(t)
  const fleet = await startLeaseFleet(t, group.target, 4, { deadlineMs: 500 })
  const stream: Stream = { name: 'failover', limits: [{ settings: { bucket: 'app/failover', max: 500, windowUs: 1_000_000 } }], phases: [[300, 60], [300, 400]] }
  const load = fleet.load([stream], 9000)
  await sleep(2500)
  const [killed] = group.servers
  killed.signal('SIGKILL')
  const killedUs = sharedUs()
  await until('a new primary', 30_000, async () => await group.findPrimary(killed))
  const promotedUs = sharedUs()
  await load
  const grants = fleet.grants()
  const needed = neededBurst(grants, PER_US)
  t.comment(`promoted after ${Math.round((promotedUs - killedUs) / 1000)} ms, failovers: ${await group.countFailovers()}; ${countUnits(grants)} granted, needed burst ${needed.toFixed(3)} of 500`)
  t.ok(grants.some(({ isLeased, fromUs }) => isLeased && fromUs < killedUs), 'units were leased before')
  t.ok(grants.some(({ isLeased, fromUs }) => isLeased && fromUs > promotedUs), 'and after')
  t.ok(needed <= 2 * 500 + ROUNDING)
})
