/**
 * Sends traffic through a limit, in the store that the plugin keeps its buckets in, over a clock that is told the time.
 */
import { createQuota } from '../../.modules/algorithms/quota.js'
import { createMemoryStore } from '../../.modules/stores/memory/store.js'

const SECOND_US = 1_000_000

/** When requests come, seconds: `count` of them, each `every` after the one before. */
export function requests (from, count, every) {
  return Array.from({ length: count }, (_, i) => round(from + i * every))
}

/**
 * What becomes of each request: `{ at, outcome, passedAt }`, seconds; `outcome` is `passed`, `held` or `refused`, `passedAt`
 * is null for what was refused.
 */
export function send (arrivals, { algorithm, max, windowSeconds, burst, maxDelaySeconds = 0 }) {
  let nowUs = 0
  const store = createMemoryStore({ clock: { nowUs: () => nowUs }, maxKeys: 100_000 })
  const limit = {
    ...createQuota(algorithm, max, windowSeconds * SECOND_US, burst, maxDelaySeconds * SECOND_US),
    name: 'default',
    bucket: 'plot',
    by: 'client',
    mode: 'enforce',
    penalty: null
  }
  try {
    return arrivals.map((at) => {
      nowUs = Math.round(at * SECOND_US)
      const { granted, standings: [{ delayUs }] } = store.take([{ limit, partition: '203.0.113.9', cost: 1 }])
      return { at, outcome: granted ? delayUs > 0 ? 'held' : 'passed' : 'refused', passedAt: granted ? at + delayUs / SECOND_US : null }
    })
  } finally {
    store.close()
  }
}

/** How many were let through in the `windowSeconds` up to each moment at which that changes: `[{ at, count }]`. */
export function trailingCounts (results, windowSeconds) {
  const passed = results.flatMap(({ passedAt }) => passedAt === null ? [] : [passedAt])
  const moments = [...new Set(passed.flatMap((at) => [at, round(at + windowSeconds)]))].sort((a, b) => a - b)
  return moments.map((at) => ({ at, count: passed.filter((time) => time <= at && time > round(at - windowSeconds)).length }))
}

/** The most that were let through in any interval of that length. */
export function mostWithin (results, windowSeconds) {
  return Math.max(...trailingCounts(results, windowSeconds).map(({ count }) => count))
}

/** Sums of tenths are not tenths in binary. */
function round (seconds) {
  return Math.round(seconds * SECOND_US) / SECOND_US
}
