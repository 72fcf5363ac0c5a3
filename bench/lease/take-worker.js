import { setImmediate as nextTurn } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createLeaseTerms } from '../../.modules/algorithms/lease.js'
import { createQuota } from '../../.modules/algorithms/quota.js'
import { systemClock } from '../../.modules/common/clock.js'
import { Leases } from '../../.modules/stores/lease/leases.js'
import { MemoryStore } from '../../.modules/stores/memory/store.js'
import { InFlightCounts } from '../../.modules/stores/memory/in-flight-counts.js'
import { RedisStore } from '../../.modules/stores/redis/redis-store.js'
import { seededRandom } from '../random.js'
import { poolOf, unwatched } from '../redis/pool.js'
import { startStopwatch } from '../stopwatch.js'
import { answer } from '../worker.js'

// Charges of one store, alone in its process.

const BATCH = 1000
const HOLD_US = 2_000_000

const { store: kind, keys, target } = JSON.parse(process.argv[2])
const quota = createQuota('token-bucket', 1e9, 365 * 86_400_000_000)
const limit = {
  ...quota, name: 'default', bucket: `takes:${keys}`, by: 'client', mode: 'enforce', penalty: null, lease: createLeaseTerms(quota, HOLD_US)
}
const stores = {
  memory: () => new MemoryStore({ clock: systemClock, maxKeys: 100_000 }),
  leases () {
    const source = new RedisStore({ ...unwatched, clock: systemClock, pool: poolOf(new Redis(target)), keyPrefix: 'takes:', maxPending: 10_000, inFlight: new InFlightCounts() })
    return new Leases({ store: source, source, clock: systemClock, maxPending: 10_000, inFlight: new InFlightCounts() })
  }
}
const store = stores[kind]()
const partitions = Array.from({ length: keys }, (_, key) => Buffer.from(`client-${String(key).padStart(8, '0')}`))
const random = seededRandom(1)

/** A batch of which the store answers some later is not counted: it waits for a lease. */
answer(async ({ takes }) => {
  let ns = 0
  let counted = 0
  const endMs = performance.now() + 30_000
  while (counted < takes) {
    if (performance.now() > endMs) throw new Error('the store does not answer in the same turn')
    // New strings, as a request brings them: a string that was a key before has its hash with it.
    const batch = Array.from({ length: BATCH }, () => [{ limit, partition: partitions[random(keys)].latin1Slice(), cost: 1 }])
    const later = []
    const stop = startStopwatch()
    for (let i = 0; i < BATCH; i++) {
      const taken = store.take(batch[i])
      if (taken instanceof Promise) later.push(taken)
    }
    const taken = stop()
    if (later.length === 0) {
      ns += taken.ns
      counted += BATCH
    }
    await Promise.all(later)
    await nextTurn()
  }
  return { ns: ns / counted }
})
