// After a failover the new primary's clock may be behind.
import t from 'tap'
import { isUnavailable, type Limit, type Store } from '../../../lib/stores/store.js'
import { ALGORITHMS, limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { openBench } from './open-store.js'

const bench = await openBench(t)

async function take (store: Store, limit: Limit, cost = 1) {
  const answer = await store.take([{ limit, partition: 'user:42', cost }])
  if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
  return answer.standings[0]
}

for (const algorithm of ALGORITHMS) {
  const limit = limitOf({ algorithm, max: 3, windowUs: 60 * SECOND_US })
  for (const [step, backUs] of [['a second', SECOND_US], ['a day', 86_400 * SECOND_US]] as const) {
    for (const everyUs of [70 * SECOND_US, 7 * SECOND_US]) {
      t.test(`${algorithm}: the clock steps back by ${step}: a client that asks every ${everyUs / SECOND_US} s is let in within a window`, async (t) => {
        const clock = new ManualClock()
        const store = bench.store({ keyPrefix: `${algorithm}-${step}-${everyUs}:`, timeUs: () => clock.nowUs() })
        for (let i = 0; i < 3; i++) {
          await take(store, limit)
          clock.advance(10)
        }
        clock.advance(-backUs)
        const steppedUs = clock.nowUs()
        let standing = await take(store, limit)
        t.ok(standing.granted || (standing.retryUs !== 'never' && standing.retryUs <= limit.windowUs), 'the wait that is stated')
        while (!standing.granted && clock.nowUs() - steppedUs <= limit.windowUs) {
          clock.advance(everyUs)
          standing = await take(store, limit)
        }
        t.equal(standing.granted, true)
        // A window, and at most one interval between two of its requests.
        t.ok(clock.nowUs() - steppedUs <= limit.windowUs + everyUs)
      })
    }
  }
}

t.test('a grant after a step back into a log of several entries is kept at its own time', async (t) => {
  const clock = new ManualClock()
  const store = bench.store({ keyPrefix: 'log:', timeUs: () => clock.nowUs() })
  const limit = limitOf({ algorithm: 'sliding-window', max: 10, windowUs: 60 * SECOND_US })
  for (let i = 0; i < 4; i++) {
    await take(store, limit)
    clock.advance(SECOND_US)
  }
  clock.advance(-2 * SECOND_US - 1)
  t.match(await take(store, limit), { granted: true, remaining: 5, resetUs: 60 * SECOND_US })
  clock.advance(60 * SECOND_US - 1)
  t.match(await take(store, limit), { granted: true, remaining: 6 }, 'three are of the moment of the step back')
  clock.advance(1)
  t.match(await take(store, limit), { granted: true, remaining: 8 })
})
