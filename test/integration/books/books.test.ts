// 200 requests at once, of 1 to 5 units each, with refunds of all kinds, late charges and clients who leave: what was
// granted, less what was given back, is what the store says is used.
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../../lib/index.js'
import { startCluster } from '../../fixtures/cluster.js'
import { ALGORITHMS } from '../../fixtures/limits.js'
import { shareRedis } from '../../fixtures/redis-server.js'
import { until } from '../../fixtures/until.js'
import { createBooksApp, createVisits, type Books } from './books.js'
import { isFullLane } from '../../fixtures/lane.js'

const VISITS = 200
/** So long that nothing comes back by itself. */
const WINDOW = '1000 hours'

async function usedOf ({ app }: Books, partition: string, name: string): Promise<number> {
  const found = (await app.rateLimit.peek(partition)).find((standing) => standing.name === name)
  return found === undefined ? NaN : found.limit - found.remaining
}

/** The last refunds are on their way when the last response is written. */
async function balances (t: Test, books: Books, partition: string, name: string, expected: number): Promise<void> {
  let used = NaN
  await until('the books balance', 5000, async () => {
    used = await usedOf(books, partition, name)
    return used === expected
  }).catch(() => {})
  t.equal(used, expected, `${name} of ${partition}`)
}

async function settlesOne (t: Test, options: RateLimitOptions): Promise<void> {
  for (const algorithm of ALGORITHMS) {
    t.test(`${algorithm}: one client, max 50`, async (t) => {
      const books = await createBooksApp(t, { name: algorithm, max: 50, timeWindow: WINDOW, algorithm, ...options })
      // No late charges: past the limit they would be debt, which shows in nothing left.
      await books.sendAll(createVisits(['a'], VISITS).map((visit) => ({ ...visit, charge: 0 })))
      const used = books.usedBy.get('a') ?? 0
      t.equal(books.granted() + books.refused(), VISITS)
      t.ok(books.refused() > 0 && used <= 50, `${books.granted()} granted, ${used} units used`)
      await balances(t, books, 'key:a', 'default', used)

      // What is left can be had to the last unit, and no more.
      const last = { client: 'a', cost: 1, status: 404, refund: 0, charge: 0, leaves: false }
      await books.sendAll(Array.from({ length: 60 }, () => last))
      t.equal(books.usedBy.get('a'), 50)
      await balances(t, books, 'key:a', 'default', 50)
    })

    t.test(`${algorithm}: one client, with late charges`, async (t) => {
      const books = await createBooksApp(t, { name: `${algorithm}-late`, max: 1000, timeWindow: WINDOW, algorithm, ...options })
      await books.sendAll(createVisits(['a'], VISITS))
      t.equal(books.granted(), VISITS)
      await balances(t, books, 'key:a', 'default', books.usedBy.get('a') ?? 0)
    })
  }
}

async function settlesSeveral (t: Test, options: RateLimitOptions): Promise<void> {
  const clients = ['a', 'b', 'c', 'd', 'e', 'f']
  for (const algorithm of ALGORITHMS) {
    t.test(`${algorithm}: limits of each client, of their address and of all, of which each refuses some`, async (t) => {
      const books = await createBooksApp(t, {
        name: `${algorithm}-several`,
        limits: [
          { name: 'own', max: 30, timeWindow: WINDOW, algorithm },
          { name: 'address', max: 120, timeWindow: WINDOW, algorithm, by: 'ip' },
          { name: 'all', max: 100, timeWindow: WINDOW, algorithm, by: 'global' }
        ],
        ...options
      })
      await books.sendAll(createVisits(clients, VISITS).map((visit) => ({ ...visit, charge: 0 })))
      t.equal(books.granted() + books.refused(), VISITS)
      t.ok(books.refused() > 0)
      let total = 0
      for (const client of clients) {
        const used = books.usedBy.get(client) ?? 0
        total += used
        await balances(t, books, `key:${client}`, 'own', used)
      }
      await balances(t, books, 'global', 'all', total)
      await balances(t, books, 'ip:127.0.0.1', 'address', total)
    })
  }
}

t.test('in memory', async (t) => {
  await settlesOne(t, {})
  await settlesSeveral(t, {})
})

t.test('on Redis', async (t) => {
  const { url } = await shareRedis()
  await settlesOne(t, { redis: url })
  await settlesSeveral(t, { redis: url })
})

if (isFullLane) {
  t.test('on a Cluster', async (t) => {
    const { target } = await startCluster(t)
    await settlesOne(t, { redis: target })
    await settlesSeveral(t, { redis: target })
  })
}
