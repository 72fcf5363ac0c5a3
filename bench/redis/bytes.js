import { quantile } from '../statistics.js'
import { poolOf, unwatched } from './pool.js'
import { InFlightCounts } from '../../.modules/stores/memory/in-flight-counts.js'
import { RedisStore } from '../../.modules/stores/redis/redis-store.js'
import { createQuota } from '../../.modules/algorithms/quota.js'

/** Windows in milliseconds: the longer one is, the more digits a log's times have. */
const WINDOWS_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }
const KEYS = 100
/** A grant just when the one before may take no more in: the log is as long as it gets. Closer grants would share entries. */
const WINDOWS = 1.5
const STEPS = 128 * WINDOWS
const MAX = 100_000
/** So much at each step that the window is all but full: a log holds grants for 1/128 of it too long. */
const COST = Math.floor(MAX * 0.98 / (STEPS / WINDOWS))

/** What Redis says that one key takes, its name, TTL and overhead included: the median of many partitions of 40 characters. */
export async function measureBytes (redis) {
  const rows = []
  for (const [window, windowMs] of Object.entries(WINDOWS_MS)) {
    for (const [algorithm, steps] of [['token-bucket', 1], ['fixed-window', 1], ['sliding-window', STEPS]]) {
      await redis.client.flushdb()
      await fill(redis, limitOf(algorithm, windowMs), windowMs, steps)
      const keys = await redis.client.keys('*')
      const bytes = await Promise.all(keys.map((key) => redis.client.memory('USAGE', key)))
      rows.push({ algorithm, window, keys: keys.length, bytes: quantile(bytes, 0.5), keyLength: keys[0].length })
    }
  }
  return rows
}

/** Steady use over one window and a half, on a time of its own. */
async function fill ({ client }, limit, windowMs, steps) {
  const startUs = Date.now() * 1000
  for (let step = 0; step < steps; step++) {
    const nowUs = startUs + Math.round(step * windowMs * 1000 * WINDOWS / steps)
    const store = new RedisStore({ ...unwatched, clock: { nowUs: () => 0 }, pool: poolOf(client), timeUs: () => nowUs, keyPrefix: 'sluice:', maxPending: KEYS, inFlight: new InFlightCounts() })
    const answers = await Promise.all(Array.from({ length: KEYS }, (_, key) =>
      store.take([{ limit, partition: `key:${String(key).padStart(36, 'k')}`, cost: COST }])))
    if (answers.some((answer) => answer.granted !== true)) throw new Error(`a bucket was not filled: ${JSON.stringify(answers[0])}`)
  }
}

function limitOf (algorithm, windowMs) {
  return { ...createQuota(algorithm, MAX, windowMs * 1000), name: 'default', bucket: 'app:default', by: 'client', mode: 'enforce', penalty: null }
}
