// A reply without a lease ended the search for leases for 5 ms, also if no lease was asked for. Each exact check of a busy
// bucket prolonged that, so a bucket with a check every 5 ms was never leased again.
import t from 'tap'
import { ManualClock } from '../fixtures/manual-clock.js'
import { leasedLimitOf, openLeases } from '../integration/redis/open-leases.js'
import { openBench } from '../integration/redis/open-store.js'

const bench = await openBench(t)

const CHECKS_PER_TURN = 50

for (const perSecond of [1000, 5000, 20_000]) {
  t.test(`${perSecond} checks a second of one bucket are answered from leases`, async (t) => {
    const clock = new ManualClock()
    const leases = openLeases(t, bench, { keyPrefix: `asking-${perSecond}:`, timeUs: () => clock.nowUs() }, clock)
    const limit = leasedLimitOf({ max: 100_000_000, windowUs: 60_000_000, bucket: 'app/busy' }, 200_000)
    const turn = async () => {
      const answers = Array.from({ length: CHECKS_PER_TURN }, () => {
        clock.advance(1_000_000 / perSecond)
        return leases.take([{ limit, partition: 'ip:203.0.113.9', cost: 1 }])
      })
      await Promise.all(answers)
    }
    // The first leases begin after three grids.
    for (const untilUs = clock.nowUs() + 600_000; clock.nowUs() < untilUs;) await turn()
    const before = { ...leases.counters }
    for (let turns = 0; turns < 40; turns++) await turn()
    const leased = leases.counters.leasedChecks - before.leasedChecks
    t.ok(leased >= 0.9 * 40 * CHECKS_PER_TURN, `${leased} of ${40 * CHECKS_PER_TURN}`)
  })
}
