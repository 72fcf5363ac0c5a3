// Lines in Redis: across instances, and across the nodes of a Cluster. Waits are hours, so that no test is a race.
import fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { rateLimitPlugin, type RateLimitOptions } from '../../../lib/index.js'
import { startCluster } from '../../fixtures/cluster.js'
import { shareRedis } from '../../fixtures/redis-server.js'
import { until } from '../../fixtures/until.js'
import { waitTurns } from '../../throttle/throttled-app.js'

/** One request under way. */
interface Pending {
  /** `null` while it is held. */
  readonly status: () => number | null
  readonly abort: () => void
}

async function instance (t: Test, options: RateLimitOptions): Promise<FastifyInstance> {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { deadline: 5000, failureMode: 'closed', ...options })
  app.get('/', async () => 'hello')
  await until('Redis decides', 30_000, async () => (await app.rateLimit.health()).status === 'ok')
  return app
}

function send (app: FastifyInstance, remoteAddress = '203.0.113.1'): Pending {
  const aborter = new AbortController()
  let status: number | null = null
  app.inject({ url: '/', signal: aborter.signal, remoteAddress }).then(({ statusCode }) => { status = statusCode }, () => {})
  return { status: () => status, abort: () => { aborter.abort() } }
}

/** Whole hours until nothing of a partition's bucket is used. */
async function hoursNow (app: FastifyInstance, partition: string, name: string): Promise<number> {
  const found = (await app.rateLimit.peek(partition)).find((standing) => standing.name === name)
  return Math.ceil((found?.resetAfterMs ?? 0) / 3_600_000)
}

/** The same, when it is as many as expected; else what it is at last. */
async function hoursUsed (app: FastifyInstance, partition: string, name: string, expected: number): Promise<number> {
  await until(`${expected} hours`, 30_000, async () => await hoursNow(app, partition, name) === expected).catch(() => {})
  return await hoursNow(app, partition, name)
}

async function answered (pending: Pending): Promise<number | null> {
  await until('an answer', 30_000, () => pending.status() !== null).catch(() => {})
  return pending.status()
}

/** One at once and one each hour, held for two and a half: room for two. */
const HOURS: RateLimitOptions = { max: 1, timeWindow: '1 hour', throttle: { maxDelay: 2.5 * 3_600_000 } }

t.test('on Redis', async (t) => {
  const { url } = await shareRedis()

  t.test('instances share one line: the last in it gives his token back, whichever instance he left', async (t) => {
    const [one, two] = [await instance(t, { ...HOURS, redis: url, keyPrefix: 'last:' }), await instance(t, { ...HOURS, redis: url, keyPrefix: 'last:' })]
    t.equal(await answered(send(one)), 200)
    const second = send(two)
    t.equal(await hoursUsed(one, 'ip:203.0.113.1', 'default', 2), 2)
    const third = send(one)
    t.equal(await hoursUsed(two, 'ip:203.0.113.1', 'default', 3), 3)
    t.equal(await answered(send(two)), 429)
    third.abort()
    t.equal(await hoursUsed(two, 'ip:203.0.113.1', 'default', 2), 2)
    // The other instance remembers its refusal for a second at most.
    const newcomer = await until('a place in line', 30_000, async () => {
      const attempt = send(two)
      await until('an end', 30_000, async () => attempt.status() !== null || await hoursNow(one, 'ip:203.0.113.1', 'default') === 3)
      return attempt.status() === null ? attempt : null
    })
    t.strictSame([second.status(), newcomer.status()], [null, null])
  })

  t.test('one who leaves from the middle gives nothing back', async (t) => {
    const [one, two] = [await instance(t, { ...HOURS, redis: url, keyPrefix: 'middle:' }), await instance(t, { ...HOURS, redis: url, keyPrefix: 'middle:' })]
    t.equal(await answered(send(one)), 200)
    const second = send(one)
    t.equal(await hoursUsed(one, 'ip:203.0.113.1', 'default', 2), 2)
    const third = send(two)
    t.equal(await hoursUsed(one, 'ip:203.0.113.1', 'default', 3), 3)
    second.abort()
    await waitTurns()
    t.equal(await hoursNow(one, 'ip:203.0.113.1', 'default'), 3)
    t.equal(await answered(send(one)), 429)
    t.equal(third.status(), null)
  })

  t.test('closing gives back what nobody stands behind, and answers at once', async (t) => {
    const [one, two] = [await instance(t, { ...HOURS, redis: url, keyPrefix: 'close:' }), await instance(t, { ...HOURS, redis: url, keyPrefix: 'close:' })]
    t.equal(await answered(send(one)), 200)
    const second = send(one)
    t.equal(await hoursUsed(two, 'ip:203.0.113.1', 'default', 2), 2)
    await one.close()
    t.equal(await answered(second), 503)
    t.equal(await hoursUsed(two, 'ip:203.0.113.1', 'default', 1), 1)
  })

  t.test('who leaves before Redis answered gives his token back', async (t) => {
    const app = await instance(t, { ...HOURS, redis: url, keyPrefix: 'early:' })
    t.equal(await answered(send(app)), 200)
    for (let i = 0; i < 20; i++) {
      const pending = send(app)
      for (let turn = 0; turn < i % 5; turn++) await new Promise((resolve) => { setImmediate(resolve) })
      pending.abort()
      t.equal(await hoursUsed(app, 'ip:203.0.113.1', 'default', 1), 1)
    }
  })

  t.test('instances together release no sooner than the rate', async (t) => {
    const options = { redis: url, keyPrefix: 'rate:', max: 20, timeWindow: '1s', burst: 2, throttle: { maxDelay: '30s' } }
    const apps = [await instance(t, options), await instance(t, options)]
    const releases: number[] = []
    const began = performance.now()
    await Promise.all(Array.from({ length: 40 }, async (_, i) => {
      const { statusCode } = await apps[i % 2].inject('/')
      t.equal(statusCode, 200)
      releases.push(performance.now() - began)
    }))
    // Two clocks, of Redis and of this process, may run a little apart.
    const tooSoon = releases.sort((a, b) => a - b).map((ms, i) => ({ ms, dueMs: (i - 1) * 50 })).filter(({ ms, dueMs }) => ms < dueMs * 0.99 - 1)
    t.strictSame(tooSoon, [])
  })
})

t.test('on a Cluster, where a client and all of them are held by different nodes', async (t) => {
  const { target } = await startCluster(t)
  const app = await instance(t, {
    redis: target,
    throttle: { maxDelay: '20 hours' },
    limits: [{ name: 'each', max: 1, timeWindow: '1 hour' }, { name: 'all', max: 1, timeWindow: '1 hour', by: 'global' }]
  })
  t.equal(await answered(send(app)), 200)
  const held: Pending[] = []
  for (let i = 0; i < 5; i++) {
    held.push(send(app))
    t.equal(await hoursUsed(app, 'global', 'all', 2 + i), 2 + i)
    t.equal(await hoursUsed(app, 'ip:203.0.113.1', 'each', 2 + i), 2 + i)
  }

  t.test('the last in line gives his tokens back to both', async (t) => {
    held[4].abort()
    t.equal(await hoursUsed(app, 'global', 'all', 5), 5)
    t.equal(await hoursUsed(app, 'ip:203.0.113.1', 'each', 5), 5)
    held[3].abort()
    t.equal(await hoursUsed(app, 'global', 'all', 4), 4)
    t.equal(await hoursUsed(app, 'ip:203.0.113.1', 'each', 4), 4)
  })

  t.test('who is the last of his own, and not of all, gives back his own', async (t) => {
    const other = send(app, '203.0.113.2')
    t.equal(await hoursUsed(app, 'global', 'all', 5), 5)
    held[2].abort()
    t.equal(await hoursUsed(app, 'ip:203.0.113.1', 'each', 3), 3)
    t.equal(await hoursNow(app, 'global', 'all'), 5)
    t.equal(other.status(), null)
  })
})
