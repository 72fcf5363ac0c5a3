import type { FastifyInstance, InjectOptions } from 'fastify'
import t from 'tap'
import type { BlockedPartition } from '../../lib/index.js'
import { PartitionCache } from '../../lib/resilience/partition-cache.js'
import { limitedApp, MS, statuses } from '../fixtures/app.js'
import { createStoreApp, requestAs, byHeaders, eachStore } from '../fixtures/each-store.js'
import { shareRedis, startRedis } from '../fixtures/redis-server.js'
import { until } from '../fixtures/until.js'

const limit = { max: 1, timeWindow: '1 hour' } as const
/** The first refusal blocks. */
const penalty = { strikes: 1, cooldown: '1 minute' } as const

/** Have clients blocked, one after the other. */
async function block (app: FastifyInstance, ...clients: readonly InjectOptions[]): Promise<void> {
  for (const client of clients) await statuses(app, 2, client)
}

function from (remoteAddress: string, url = '/'): InjectOptions {
  return { url, remoteAddress }
}

async function listed (app: FastifyInstance): Promise<string[]> {
  return (await app.rateLimit.blocked()).blocked.map(({ partition }) => partition)
}

t.test('on each store', async (t) => {
  for (const store of await eachStore()) {
    t.test(`${store.name}: whoever is blocked is listed, by the name under which a reset lifts it`, async (t) => {
      const { app } = await createStoreApp(t, store, { ...limit, penalty, identify: byHeaders, rules: [{ name: 'login', match: '/login', ...limit, max: 2 }] }, (app) => {
        app.get('/login', async () => 'in')
      })
      t.strictSame(await app.rateLimit.blocked(), { blocked: [], cursor: null })
      await statuses(app, 1, from('203.0.113.1'))
      await block(app, from('203.0.113.9'), from('2001:db8:0:ab12::1'), requestAs('a b{}'), requestAs('x'.repeat(200)))
      await statuses(app, 3, from('203.0.113.9', '/login'))
      const { blocked, cursor } = await app.rateLimit.blocked()
      t.equal(cursor, null)
      const scopes = blocked.map(({ partition, scope }: BlockedPartition) => [partition.replace(/#.*/, '#'), scope])
      t.strictSame(scopes, [
        ['ip:2001:db8:0:ab00::/56', 'default'], ['ip:203.0.113.9', 'default'], ['ip:203.0.113.9', 'rule:login'], ['user#', 'default'], ['user:a b{}', 'default']
      ])
      for (const { partition, remainingMs } of blocked) {
        t.ok(Number.isInteger(remainingMs) && remainingMs > 0 && remainingMs <= 60_000)
        const [standing] = await app.rateLimit.peek(partition)
        t.equal(standing.isExceeded, true)
      }
      for (const { partition } of blocked) await app.rateLimit.reset(partition)
      t.strictSame(await listed(app), [])
      t.strictSame(await statuses(app, 1, requestAs('x'.repeat(200))), [200])
    })

    t.test(`${store.name}: the pages of a list hold each once, whoever comes and goes meanwhile`, async (t) => {
      const { app } = await createStoreApp(t, store, { ...limit, penalty })
      await block(app, ...Array.from({ length: 9 }, (_, i) => from(`203.0.113.${i}`)))
      const first = await app.rateLimit.blocked({ limit: 4 })
      t.strictSame(first.blocked.map(({ partition }) => partition), [0, 1, 2, 3].map((i) => `ip:203.0.113.${i}`))
      await app.rateLimit.reset('ip:203.0.113.3')
      await app.rateLimit.reset('ip:203.0.113.5')
      await block(app, from('203.0.112.1'))
      const second = await app.rateLimit.blocked({ limit: 4, cursor: first.cursor ?? '' })
      t.strictSame(second.blocked.map(({ partition }) => partition), [4, 6, 7, 8].map((i) => `ip:203.0.113.${i}`))
      t.strictSame(await app.rateLimit.blocked({ limit: 4, cursor: second.cursor ?? '' }), { blocked: [], cursor: null })
    })

    t.test(`${store.name}: after a reload only blocks that still hold are listed`, async (t) => {
      const { app } = await createStoreApp(t, store, { rules: [{ name: 'all', match: '/*', ...limit, penalty: { ...penalty, cooldown: '1 hour' } }], ...limit, penalty })
      await block(app, from('203.0.113.9'))
      await app.rateLimit.reload({ rules: [{ name: 'all', penalty: { ...penalty, maxCooldown: '2 minutes' } }] })
      const { blocked: [shorter] } = await app.rateLimit.blocked()
      t.ok(shorter.remainingMs <= 120_000, 'as the new penalty has it')
      await app.rateLimit.reload({ rules: [{ name: 'all', penalty: false }] })
      t.strictSame(await listed(app), [])
    })
  }
})

t.test('a block that is over is not listed', async (t) => {
  const { app, clock } = await limitedApp(t, { ...limit, penalty })
  await block(app, from('203.0.113.9'))
  clock.advance(59_999 * MS)
  t.strictSame(await app.rateLimit.blocked(), { blocked: [{ partition: 'ip:203.0.113.9', scope: 'default', remainingMs: 1 }], cursor: null })
  clock.advance(1 * MS)
  t.strictSame(await listed(app), [])
})

t.test('what no page can be is refused', async (t) => {
  const { app } = await limitedApp(t, limit)
  for (const most of [0, 1001, 1.5, NaN]) {
    await t.rejects(app.rateLimit.blocked({ limit: most }), { code: 'FST_SLUICE_BAD_OPTION', message: `limit: expected an integer from 1 to 1000, got ${most}` })
  }
  for (const cursor of ['', 'x', 'W10', Buffer.from('["a",1]').toString('base64url')]) {
    await t.rejects(app.rateLimit.blocked({ cursor }), { code: 'FST_SLUICE_BAD_OPTION', message: `cursor: expected the cursor of the previous page, got "${cursor}"` })
  }
})

t.test('a list of more than a few pages is found without one of them being lost', async (t) => {
  const { app } = await limitedApp(t, { ...limit, penalty })
  const names = Array.from({ length: 240 }, (_, i) => `10.${i % 7}.${i % 13}.${i % 251}`)
  await block(app, ...names.map((name) => from(name)))
  const found: string[] = []
  let cursor: string | null = null
  do {
    const page = await app.rateLimit.blocked(cursor === null ? { limit: 20 } : { limit: 20, cursor })
    t.ok(page.blocked.length <= 20)
    found.push(...page.blocked.map(({ partition }) => partition))
    cursor = page.cursor
  } while (cursor !== null)
  t.strictSame(found, [...new Set(names)].map((name) => `ip:${name}`).sort())
})

t.test('a flood of blocked clients makes no list of its own', async (t) => {
  const { app } = await limitedApp(t, { ...limit, penalty, memory: { maxKeys: 20 } })
  await block(app, ...Array.from({ length: 100 }, (_, i) => from(`203.0.113.${i}`)))
  t.ok((await listed(app)).length <= 20)

  const kept = new PartitionCache<string, number>()
  for (let i = 0; i < 50_000; i++) kept.set(String(i), 'penalty', i)
  kept.set('49999', 'penalty', 7)
  const entries = [...kept.entries()]
  t.ok(entries.length <= 20_000)
  t.equal(new Set(entries.map(([partition]) => partition)).size, entries.length, 'each once')
  t.strictSame(entries.find(([partition]) => partition === '49999'), ['49999', 'penalty', 7])
})

t.test('on Redis, a block that another process lifted is gone, and one is known wherever it was met', async (t) => {
  const { url } = await shareRedis()
  const store = { name: 'redis', options: () => ({ redis: url, deadline: 5000 }) } as const
  const [one, other] = [await createStoreApp(t, store, { ...limit, penalty }), await createStoreApp(t, store, { ...limit, penalty })].map(({ app }) => app)
  await block(one, from('203.0.113.9'), from('203.0.113.7'))
  t.strictSame(await listed(other), [], 'it has not heard of them')
  await statuses(other, 1, from('203.0.113.9'))
  t.strictSame(await listed(other), ['ip:203.0.113.9'])
  await one.rateLimit.reset('ip:203.0.113.9')
  t.strictSame(await listed(other), [])
  t.strictSame(await listed(one), ['ip:203.0.113.7'])
})

t.test('while Redis is away its blocks are listed, and those of the meantime', async (t) => {
  const server = await startRedis(t)
  const store = { name: 'redis', options: () => ({ redis: server.url }) } as const
  const { app } = await createStoreApp(t, store, { ...limit, penalty, deadline: 2000, breaker: { failures: 1, openFor: '1 hour' } })
  await block(app, from('203.0.113.9'))
  t.strictSame(await listed(app), ['ip:203.0.113.9'])
  await server.stop()
  await until('the breaker opens', 20_000, async () => {
    await statuses(app, 1, from('203.0.113.1'))
    return (await app.rateLimit.metrics?.metrics())?.includes('rate_limit_breaker_state{state="open"} 1') ?? false
  })
  await block(app, from('203.0.113.7'))
  const { blocked } = await app.rateLimit.blocked()
  t.match(blocked.map(({ partition }) => partition).filter((partition) => partition !== 'ip:203.0.113.1'), ['ip:203.0.113.7', 'ip:203.0.113.9'])
  t.ok(blocked.every(({ remainingMs }) => remainingMs > 0 && remainingMs <= 60_000))
})
