// What the option `leases` does without Redis: nothing, and explain says so.
import t from 'tap'
import { MemoryStore } from '../../lib/stores/memory/store.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { limitedApp, statuses } from '../fixtures/app.js'

const minute = { timeWindow: '1 minute', leases: true } as const

t.test('in memory nothing is leased, without an error or a warning', async (t) => {
  const warned = t.capture(process, 'emitWarning')
  const { app, log } = await limitedApp(t, { ...minute, max: 100 })
  t.strictSame(await statuses(app, 101), [...Array(100).fill(200), 429])
  t.strictSame(app.rateLimit.explain().policies[0].leases, [{ limit: 'default', isLeased: false, reason: 'no-redis' }])
  t.strictSame((await app.rateLimit.health()).limits, ['default: 100 per 1 minute'])
  t.strictSame(log, [])
  t.strictSame(warned(), [])
})

t.test('a custom store decides each request', async (t) => {
  const store = new MemoryStore({ clock: new ManualClock(), maxKeys: 100 })
  const { app } = await limitedApp(t, { ...minute, max: 100, store, health: false })
  t.strictSame(await statuses(app, 101), [...Array(100).fill(200), 429])
  t.equal(app.rateLimit.explain('GET /').policies[0].leases[0].reason, 'no-redis')
  t.equal(app.rateLimit.metrics === null ? '' : await app.rateLimit.metrics.metrics().then((text) => text.match(/^rate_limit_lease.*$/gm)), null)
})

t.test('explain says of each limit of each tier why it is not leased', async (t) => {
  const { app } = await limitedApp(t, {
    ...minute, max: 100, tiers: { internal: false, premium: { limits: [{ name: 'a', max: 500, timeWindow: '1s' }, { name: 'b', max: 900, timeWindow: '1m' }] } }
  })
  app.get('/off', { config: { rateLimit: { leases: false } } }, async () => 'off')
  const [policy] = app.rateLimit.explain('GET /').policies
  const noRedis = { isLeased: false, reason: 'no-redis' } as const
  t.strictSame(policy.leases, [{ limit: 'default', ...noRedis }])
  t.strictSame(policy.tiers.map(({ name, leases }) => [name, leases]), [['internal', []], ['premium', [{ limit: 'a', ...noRedis }, { limit: 'b', ...noRedis }]]])
  t.strictSame(app.rateLimit.explain('GET /off').policies[0].leases, [{ limit: 'default', isLeased: false, reason: 'off' }])
})
