// Two instances on one Redis that reload at different moments, each over a connection of its own.
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { rateLimitPlugin, type RateLimitOptions } from '../../../lib/index.js'
import { remainders, statuses } from '../../fixtures/app.js'
import { ALGORITHMS } from '../../fixtures/limits.js'
import { shareRedis } from '../../fixtures/redis-server.js'
import { until } from '../../fixtures/until.js'

/** No bucket gains a unit in the time of a test. */
const timeWindow = '100 hours'

const { url } = await shareRedis()
let pairs = 0

async function twoInstances (t: Test, options: RateLimitOptions): Promise<[FastifyInstance, FastifyInstance]> {
  const keyPrefix = `pair-${pairs++}:`
  const start = async () => {
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(rateLimitPlugin, { redis: url, keyPrefix, deadline: 5000, failureMode: 'closed', ...options })
    app.get('/', async () => 'hello')
    return app
  }
  return [await start(), await start()]
}

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: neither resets the other's buckets, whichever reloads first`, async (t) => {
    const [one, two] = await twoInstances(t, { max: 100, timeWindow, algorithm })
    t.strictSame([...await remainders(one, '/'), ...await remainders(two, '/')], [99, 98])
    await one.rateLimit.reload({ max: 1000 })
    t.strictSame([...await remainders(one, '/'), ...await remainders(two, '/'), ...await remainders(one, '/')], [997, 96, 995])
    await two.rateLimit.reload({ max: 1000 })
    t.strictSame([...await remainders(two, '/'), ...await remainders(one, '/')], [994, 993])
    await two.rateLimit.reload({ max: 20, timeWindow: '50 hours' })
    t.strictSame([...await remainders(two, '/'), ...await remainders(one, '/')], [12, 991])
    await one.rateLimit.reload({ max: 20, timeWindow: '50 hours' })
    t.strictSame([...await remainders(one, '/'), ...await remainders(two, '/')], [10, 9])
  })

  t.test(`${algorithm}: while two versions live, no more is granted than the sum of both`, async (t) => {
    const [SMALL, LARGE] = [20, 50]
    const apps = await twoInstances(t, { max: SMALL, timeWindow, algorithm })
    const over = new AbortController()
    const counts = new Map<number, number>()
    const senders = [...apps, ...apps].map(async (app) => {
      while (!over.signal.aborted) {
        const { statusCode } = await app.inject('/')
        counts.set(statusCode, (counts.get(statusCode) ?? 0) + 1)
        // A turn for the connections to Redis, as a socket would leave.
        await nextTurn()
      }
    })
    const granted = () => counts.get(200) ?? 0
    // Each to and fro, never both in the same way at once for long, until as much was granted as the larger one holds.
    for (let i = 0; i < 16 || (i < 400 && granted() < LARGE); i++) {
      await apps[i % 2].rateLimit.reload({ max: i % 4 < 2 ? LARGE : SMALL })
      await delay(25)
    }
    over.abort()
    await Promise.all(senders)
    t.ok(granted() >= LARGE && granted() <= SMALL + LARGE, `${granted()} granted`)
    t.strictSame([...counts.keys()].sort(), [200, 429])
  })
}

t.test('a raise takes hold where it is made, for a client whom the other instance refuses', async (t) => {
  const [one, two] = await twoInstances(t, { max: 5, timeWindow })
  t.strictSame(await statuses(one, 7), [200, 200, 200, 200, 200, 429, 429])
  t.strictSame(await statuses(two, 2), [429, 429])
  await two.rateLimit.reload({ max: 7 })
  t.strictSame(await statuses(two, 1), [200])
  t.strictSame(await statuses(one, 2), [429, 429])
  t.strictSame(await statuses(two, 2), [200, 429])
})

t.test('who is blocked by one version is blocked under the other', async (t) => {
  const penalty = { strikes: 2, cooldown: '10 minutes' }
  const [one, two] = await twoInstances(t, { max: 1, timeWindow, penalty })
  await two.rateLimit.reload({ max: 1000 })
  t.strictSame(await statuses(one, 3), [200, 429, 429])
  t.strictSame(await statuses(two, 1), [429])
  await one.rateLimit.reload({ max: 1000 })
  t.strictSame(await statuses(one, 1), [429])
  await one.rateLimit.reset('ip:127.0.0.1')
  // The other instance believes a refusal for a second.
  await until('a grant', 30_000, async () => (await two.inject('/')).statusCode === 200)
})
