// More units were asked for when few were left, and not when the lease was about to end. So for a bucket that does not use up
// its leases, each lease ended with a check that asked Redis and waited.
import t from 'tap'
import { ManualClock } from '../fixtures/manual-clock.js'
import { Seeded } from '../fixtures/seeded.js'
import { leasedLimitOf, openLeases } from '../integration/redis/open-leases.js'
import { openBench } from '../integration/redis/open-store.js'

const bench = await openBench(t)

const CHECKS = 2000

for (const [everyUs, mostAsked] of [[50_000, 10], [100_000, 50]]) {
  t.test(`a check each ${everyUs / 1000} ms, more or less`, async (t) => {
    const random = new Seeded(everyUs)
    const clock = new ManualClock()
    const leases = openLeases(t, bench, { keyPrefix: `ends-${everyUs}:`, timeUs: () => clock.nowUs() }, clock)
    const limit = leasedLimitOf({ max: 100_000_000, windowUs: 60_000_000, bucket: 'app/ends' })
    const takeMany = async () => {
      for (let i = 0; i < CHECKS; i++) {
        clock.advance(random.nextInt(2 * everyUs))
        await leases.take([{ limit, partition: 'ip:203.0.113.9', cost: 1 }])
      }
    }
    await takeMany()
    const before = { ...leases.counters }
    await takeMany()
    t.ok(leases.counters.renewals - before.renewals >= 3, 'more than one lease was used')
    const asked = leases.counters.storeChecks - before.storeChecks
    t.ok(asked <= mostAsked, `${asked} of ${CHECKS} checks asked Redis`)
  })
}
