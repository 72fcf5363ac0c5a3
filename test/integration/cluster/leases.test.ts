// Processes that lease from a Cluster, of which one is killed without notice.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startCluster } from '../../fixtures/cluster.js'
import { startLeaseFleet } from '../../fixtures/lease-fleet.js'
import type { Stream } from '../../fixtures/lease-node.js'
import { countUnits, neededBurst, ROUNDING } from '../../fixtures/needed-burst.js'

const limitOf = (bucket: string, max: number) => ({ settings: { bucket, max, windowUs: 1_000_000 }, holdUs: 400_000 })

/** The second one is of two partitions, which are on different nodes, or may be. */
const STREAMS: readonly Stream[] = [
  { name: 'one limit', limits: [limitOf('app/one', 500)], phases: [[300, 150], [200, 1200]] },
  { name: 'two partitions', limits: [limitOf('app/two', 300), { ...limitOf('app/three', 400), settings: { bucket: 'app/three', max: 400, windowUs: 1_000_000, by: 'global' } }], phases: [[300, 80], [200, 800]] }
]

t.test('leases on a Cluster grant no more than burst plus rate, though a process is killed', async (t) => {
  const { target } = await startCluster(t)
  const fleet = await startLeaseFleet(t, target, 3)
  const load = fleet.load(STREAMS, 3000)
  await sleep(1200)
  fleet.nodes[1].signal('SIGKILL')
  t.equal((await load).length, 2)
  for (const [i, { name, limits }] of STREAMS.entries()) {
    for (const [j, { settings: { max = 0 } }] of limits.entries()) {
      const grants = fleet.grants(i, j)
      const needed = neededBurst(grants, max / 1_000_000)
      t.comment(`${name}: ${countUnits(grants)} granted, needed burst ${needed.toFixed(3)} of ${max}`)
      t.ok(grants.some(({ isLeased }) => isLeased), `${name}: units were leased`)
      t.ok(needed <= max + ROUNDING, `${name}: ${needed} needed`)
    }
  }
})
