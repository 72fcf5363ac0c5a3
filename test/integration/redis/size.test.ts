// How much memory a key takes, TTL and name included, for a partition of 40 characters.
import t from 'tap'
import type { Limit } from '../../../lib/stores/store.js'
import { limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { openBench } from './open-store.js'

const PARTITION = 'ip:2001:0db8:85a3:0000:0000:8a2e:0370::/56'.slice(0, 40)
const WINDOWS = [['1 s', SECOND_US], ['1 min', 60 * SECOND_US], ['1 h', 3600 * SECOND_US], ['1 day', 86_400 * SECOND_US]] as const

const bench = await openBench(t)

/** The bytes of the key that a limit's bucket has after a whole window of grants, as many as entries can be apart. */
async function bytesAfter (prefix: string, limit: Limit, grants: number, cost: number): Promise<number> {
  const clock = new ManualClock(1_790_000_000_123_457)
  const store = bench.store({ keyPrefix: prefix, timeUs: () => clock.nowUs() })
  for (let i = 0; i < grants; i++) {
    await store.take([{ limit, partition: PARTITION, cost }])
    if (i < grants - 1) clock.advance(limit.mergeUs)
  }
  const [key] = await bench.redis.keys(`${prefix}*`)
  return Number(await bench.redis.memory('USAGE', key))
}

for (const [name, windowUs] of WINDOWS) {
  for (const [load, max, cost] of [['of one unit', 1000, 1], ['of a hundred units', 100_000, 100], ['of a million units', 129_000_000, 1_000_000]] as const) {
    t.test(`a sliding window of ${name} with all its entries, ${load} each, takes at most 1 kB`, async (t) => {
      const limit = limitOf({ algorithm: 'sliding-window', max, windowUs })
      const bytes = await bytesAfter(`sluice:${name.replace(' ', '')}${cost}:`, limit, 129, cost)
      t.ok(bytes <= 1024, `${bytes} bytes`)
    })
  }
  t.test(`a token bucket of ${name} takes at most 200 bytes`, async (t) => {
    const bytes = await bytesAfter(`sluice:token${name.replace(' ', '')}:`, limitOf({ max: 700_001, windowUs }), 3, 7)
    t.ok(bytes <= 200, `${bytes} bytes`)
  })
}

t.test('a fixed window takes at most 200 bytes', async (t) => {
  const bytes = await bytesAfter('sluice:fixed:', limitOf({ algorithm: 'fixed-window', max: 700_001, windowUs: 86_400 * SECOND_US }), 3, 7)
  t.ok(bytes <= 200, `${bytes} bytes`)
})
