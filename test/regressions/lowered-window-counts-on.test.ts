// Two versions of a limit shared a bucket during a deployment, and one had the smaller max. Whichever was asked shortly before the end
// of the window counted its units again in the next one. A client that had used too many was refused for as long as both were asked.
import t from 'tap'
import { createMemoryStore } from '../../lib/stores/memory/store.js'
import { isUnavailable } from '../../lib/stores/store.js'
import { limitOf, SECOND_US } from '../fixtures/limits.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { openBench } from '../integration/redis/open-store.js'

const bench = await openBench(t)

for (const algorithm of ['sliding-window', 'fixed-window'] as const) {
  t.test(`${algorithm}: units are counted until their window is over, whichever version is asked`, async (t) => {
    const clock = new ManualClock()
    const memory = createMemoryStore({ clock, maxKeys: 100, seed: 7 })
    t.teardown(() => { memory.close() })
    const redis = bench.store({ keyPrefix: `lowered-${algorithm}:`, timeUs: () => clock.nowUs() })
    const [before, after] = [100, 10].map((max) => limitOf({ algorithm, max, windowUs: 60 * SECOND_US }))
    for (const store of [memory, redis]) {
      const take = async (limit: typeof before, cost: number): Promise<number> => {
        const answer = await store.take([{ limit, partition: 'user:42', cost }])
        if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
        return answer.standings[0].remaining
      }
      t.equal(await take(before, 100), 0)
      clock.advance(59 * SECOND_US)
      t.equal(await take(after, 1), 0)
      clock.advance(SECOND_US)
      t.equal(await take(before, 0), 100, store.kind)
    }
  })
}
