// What a client that asks without a pause gets while the limits change without a pause: no fresh bucket, ever.
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../../lib/index.js'
import { createStoreApp, eachStore, type TestStore } from '../../fixtures/each-store.js'
import { ALGORITHMS } from '../../fixtures/limits.js'

const IN_FLIGHT = 60
const RELOADS = 30
const BETWEEN_MS = 20

const SMALL = 10
const LARGE = 20

/** A rule for each algorithm, with numbers that change. No bucket gains a unit in the time of a test. */
function rulesWith (max: number, timeWindow: string): RateLimitOptions {
  return { rules: ALGORITHMS.map((algorithm) => ({ name: algorithm, match: `/${algorithm}`, algorithm, max, timeWindow })) }
}

/** How many requests to each rule's route were granted, under two sets in turns. */
async function granted (t: Test, store: TestStore, sets: readonly [RateLimitOptions, RateLimitOptions]): Promise<Map<string, number>> {
  // Between hooks, where the new set takes the place of the one that a request is under.
  // By a key: an exhausted address is refused at onRequest, and would not come between the hooks.
  const { app } = await createStoreApp(t, store, { ...sets[0], hook: 'preHandler', keyGenerator: () => 'one' }, (app) => {
    app.addHook('preValidation', async () => { await delay(Math.random() * 30) })
    for (const algorithm of ALGORITHMS) app.get(`/${algorithm}`, async () => algorithm)
  })
  const counts = new Map<string, number>()
  const over = new AbortController()
  const senders = Array.from({ length: IN_FLIGHT }, async (_, i) => {
    const url = `/${ALGORITHMS[i % ALGORITHMS.length]}`
    while (!over.signal.aborted) {
      const { statusCode } = await app.inject(url)
      if (statusCode !== 429) counts.set(`${url} ${statusCode}`, (counts.get(`${url} ${statusCode}`) ?? 0) + 1)
    }
  })
  for (let i = 1; i <= RELOADS; i++) {
    await app.rateLimit.reload(sets[i % 2])
    await delay(BETWEEN_MS)
  }
  over.abort()
  await Promise.all(senders)
  return counts
}

for (const store of await eachStore()) {
  t.test(`${store.name}: a window that changes to and fro grants what it holds, once`, async (t) => {
    const counts = await granted(t, store, [rulesWith(20, '100 hours'), rulesWith(20, '25 hours')])
    t.strictSame(new Map([...counts].sort()), new Map([...ALGORITHMS].sort().map((algorithm) => [`/${algorithm} 200`, 20])))
  })

  t.test(`${store.name}: a max that changes to and fro grants the larger one, once`, async (t) => {
    const counts = await granted(t, store, [rulesWith(SMALL, '100 hours'), rulesWith(LARGE, '100 hours')])
    t.strictSame(new Map([...counts].sort()), new Map([...ALGORITHMS].sort().map((algorithm) => [`/${algorithm} 200`, LARGE])))
  })
}
