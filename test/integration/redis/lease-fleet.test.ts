// Four processes that lease from one Redis: test/integration/fleet/leases.test.ts is longer.
import t from 'tap'
import { Seeded } from '../../fixtures/seeded.js'
import { shareRedis } from '../../fixtures/redis-server.js'
import { startLeaseFleet } from '../../fixtures/lease-fleet.js'
import type { Stream } from '../../fixtures/lease-node.js'
import { countUnits, neededBurst, ROUNDING } from '../../fixtures/needed-burst.js'

const limitOf = (bucket: string, max: number) => ({ settings: { bucket, max, windowUs: 1_000_000 }, holdUs: 400_000 })

const STREAMS: readonly Stream[] = [
  { name: 'one limit', limits: [limitOf('app/one', 700)], phases: [[300, 100], [200, 600]] },
  { name: 'two limits', limits: [limitOf('app/two', 300), { ...limitOf('app/three', 400), settings: { bucket: 'app/three', max: 400, windowUs: 1_000_000, by: 'global' } }], phases: [[300, 40], [200, 300]] }
]

t.test('the needed burst is that of the worst interval', async (t) => {
  const random = new Seeded(1)
  for (let round = 0; round < 100; round++) {
    const grants = Array.from({ length: 1 + random.nextInt(30) }, () => {
      const fromUs = random.nextInt(1000)
      return { fromUs, untilUs: fromUs + (round % 2) * random.nextInt(100), units: 1 + random.nextInt(3) }
    })
    const needs = grants.flatMap(({ fromUs }) => grants.map(({ untilUs }) => {
      return countUnits(grants.filter((grant) => grant.fromUs >= fromUs && grant.untilUs <= untilUs)) - (untilUs - fromUs) / 16
    }).filter((_, i) => grants[i].untilUs >= fromUs))
    const needed = neededBurst(grants, 1 / 16)
    if (Math.abs(needed - Math.max(0, ...needs)) > ROUNDING) t.fail(`${needed}, not ${Math.max(0, ...needs)}`)
  }
})

t.test('four processes grant no more than burst plus rate, of one limit and of two', async (t) => {
  const { url } = await shareRedis()
  const fleet = await startLeaseFleet(t, url)
  const reports = await fleet.load(STREAMS, 3000)
  t.strictSame(reports.map(({ torn, unavailable }) => [torn, unavailable]), Array(4).fill([0, 0]), 'all or none')
  for (const [i, { name, limits }] of STREAMS.entries()) {
    for (const [j, { settings: { max = 0 } }] of limits.entries()) {
      const grants = fleet.grants(i, j)
      const needed = neededBurst(grants, max / 1_000_000)
      t.comment(`${name}: ${countUnits(grants)} granted, ${countUnits(grants.filter(({ isLeased }) => isLeased))} of leases, needed burst ${needed.toFixed(3)} of ${max}`)
      t.ok(needed <= max + ROUNDING)
    }
  }
  t.equal(countUnits(fleet.grants(1, 0)), countUnits(fleet.grants(1, 1)), 'both limits were charged the same')
})
