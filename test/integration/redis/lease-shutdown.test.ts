// What an instance has leased is given back when it closes, and when its limits are replaced.
import t from 'tap'
import type { Store } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { until } from '../../fixtures/until.js'
import { leasedLimitOf, openLeases } from './open-leases.js'
import { openBench, type Bench } from './open-store.js'

const PARTITION = 'ip:203.0.113.9'
/** It gains a unit in ten minutes. */
const SETTINGS = { max: 10_000, windowUs: 600_000_000_000, bucket: 'app/shutdown' }

const bench: Bench = await openBench(t)

async function countUsed (store: Store): Promise<number> {
  const [{ remaining }] = await store.peek([limitOf(SETTINGS)], PARTITION)
  return 10_000 - remaining
}

for (const [way, end] of [['closes', 'close'], ['has its limits replaced', 'endLeases']] as const) {
  t.test(`an instance that ${way} gives back what it holds, and what is on its way`, async (t) => {
    const clock = new ManualClock()
    const settings = { keyPrefix: `shutdown-${end}:`, timeUs: () => clock.nowUs() }
    const limit = leasedLimitOf(SETTINGS, 400_000)
    const leases = openLeases(t, bench, settings, clock)
    let granted = 0
    const { counters } = leases
    // Until more units are asked for in the background.
    for (let step = 0; step < 3000 && counters.renewals < 20; step++) {
      clock.advance(3000)
      for (let i = 0; i < 4 && counters.renewals < 20; i++) {
        const answer = await leases.take([{ limit, partition: PARTITION, cost: 1 }])
        if ('granted' in answer && answer.granted) granted++
      }
    }
    t.ok(counters.leasedChecks > 0)
    await leases[end]()
    const other = bench.store(settings)
    // A replaced limit is given back in the background.
    await until('all is back', 10_000, async () => await countUsed(other) === granted + counters.lapsedUnits)
  })
}
