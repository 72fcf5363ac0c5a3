// Reloads without a pause, under requests without a pause.
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../../lib/index.js'
import type { Phase } from '../../../lib/config/schema/policy-schema.js'
import { eachStore } from '../../fixtures/each-store.js'
import { send, fetchUsage, Ledger, generateRequests, findSet, createSetOptions, createSetsApp } from '../../fixtures/reload-sets.js'
import { scaleToLane } from '../../fixtures/lane.js'

const IN_FLIGHT = 200
/** Fifty a second. */
const BETWEEN_MS = 20

interface Storm {
  readonly store: RateLimitOptions
  readonly hook: Phase
  readonly reloads: number
}

async function storm (t: Test, { store, hook, reloads }: Storm): Promise<void> {
  const app = await createSetsApp(t, store, hook)
  const over = new AbortController()
  const next = generateRequests()
  const ledger = new Ledger()
  const counts = { A: 0, B: 0 }
  const others: string[] = []
  const senders = Array.from({ length: IN_FLIGHT }, async () => {
    while (!over.signal.aborted) {
      const question = next.next().value
      const name = findSet(question, await send(app, question))
      if (name !== 'A' && name !== 'B') {
        others.push(name)
      } else {
        counts[name]++
        ledger.record(name, question)
      }
    }
  })
  for (let i = 0; i < reloads; i++) {
    await app.rateLimit.reload(createSetOptions(i % 2 === 0 ? 'B' : 'A'))
    await delay(BETWEEN_MS)
  }
  over.abort()
  await Promise.all(senders)
  t.comment(counts)
  t.strictSame(others.slice(0, 5), [], 'each response is of one set')
  t.ok(counts.A > IN_FLIGHT && counts.B > IN_FLIGHT, 'and both are met')
  // Those that only a check uses are known to the book once it was asked for them.
  for (const user of ['ann', 'gold-cy'] as const) ledger.record(findSet({ path: '/checked', user }, await send(app, { path: '/checked', user })) as 'A' | 'B', { path: '/checked', user })
  t.strictSame(await fetchUsage(app), ledger.entries(), 'each unit is counted once, at the cost of its set')
}

const stores = await eachStore()

t.test('memory, counting in onRequest, for longer', async (t) => {
  await storm(t, { store: stores[0].options(), hook: 'onRequest', reloads: scaleToLane(200) })
})

for (const store of stores) {
  for (const hook of ['onRequest', 'preHandler'] as const) {
    if (store.name === 'memory' && hook === 'onRequest') continue
    t.test(`${store.name}, counting in ${hook}`, async (t) => {
      await storm(t, { store: store.options(), hook, reloads: scaleToLane(30, 15) })
    })
  }
}
