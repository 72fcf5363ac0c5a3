import { once } from 'node:events'
import type { Test } from 'tap'
import { Redis } from 'ioredis'
import { CallGuard } from '../../../lib/resilience/call-guard.js'
import { systemClock } from '../../../lib/common/clock.js'
import { connect } from '../../../lib/stores/redis/connect.js'
import { InFlightCounts } from '../../../lib/stores/memory/in-flight-counts.js'
import { RedisStore } from '../../../lib/stores/redis/redis-store.js'
import { runOldScripts } from '../../fixtures/old-version.js'
import { shareRedis, startRedis } from '../../fixtures/redis-server.js'

interface StoreSettings {
  readonly keyPrefix?: string
  readonly timeUs?: () => number
  readonly maxPending?: number
  /** Of the version before leases. */
  readonly isOld?: boolean
  /** Hears the code of each failure; without it, a failure fails the test. */
  readonly onFailure?: (code: string) => void
}

/** A Redis, a client that looks at what the stores keep there, and stores on that same client. */
export interface Bench {
  readonly redis: Redis
  store (settings?: StoreSettings): RedisStore
}

const NEVER_OPENS = { failures: 1_000_000, withinMs: 10_000, openForMs: 1000 }
const GENEROUS_MS = 5000

/** Connect to a database of the shared server, or to a server of the test's own. Connections and stores end with the test. */
export async function openBench (t: Test, server: 'shared' | 'own' = 'shared'): Promise<Bench> {
  const { url } = server === 'own' ? await startRedis(t) : await shareRedis()
  const redis = new Redis(url, { maxRetriesPerRequest: 0 })
  const stores: RedisStore[] = []
  await once(redis, 'ready')
  t.teardown(async () => {
    for (const store of stores) await store.close()
    redis.disconnect()
  })
  return {
    redis,
    store ({ keyPrefix = 'sluice:', timeUs, maxPending = 100_000, isOld = false, onFailure = (code: string) => { t.fail(`the store failed: ${code}`) } } = {}) {
      const pool = connect(redis, { connections: 1, deadlineMs: 0, clock: systemClock }, { onReady () {} })
      const store = new RedisStore({
        inFlight: new InFlightCounts(),
        pool: isOld ? runOldScripts(pool) : pool,
        callGuard: new CallGuard(GENEROUS_MS, NEVER_OPENS, systemClock, () => {}),
        keyPrefix,
        maxPending,
        onFailure: (_reason, code) => { onFailure(code) },
        clock: systemClock,
        onAnswer: () => {},
        timeUs
      })
      stores.push(store)
      return store
    }
  }
}
