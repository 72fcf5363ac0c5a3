import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { RateLimitOptions, RouteRateLimit } from '../../lib/index.js'
import { limitedApp, remainders, statuses } from '../fixtures/app.js'
import { createStoreApp, requestAs, byHeaders, eachStore } from '../fixtures/each-store.js'

const tiers = { anonymous: { max: 2 }, standard: { max: 4 }, premium: { max: 8, timeWindow: '1 hour' } } as const
const window = { timeWindow: '10 hours' } as const
const route = (rateLimit: RouteRateLimit) => (app: FastifyInstance) => { app.get('/a/b', { config: { rateLimit } }, async () => 'b') }

/** The same tiers, said in three places. */
const places: ReadonlyArray<readonly [where: string, options: RateLimitOptions, declare?: (app: FastifyInstance) => void]> = [
  ['on the default policy', { max: 3, ...window, tiers }, (app) => { app.get('/a/b', async () => 'b') }],
  ['on a rule', { rules: [{ name: 'a', match: '/a/*', max: 3, ...window, tiers }] }, (app) => { app.get('/a/b', async () => 'b') }],
  ['on a route', {}, route({ max: 3, ...window, tiers })]
]

t.test('on each store', async (t) => {
  for (const store of await eachStore()) {
    for (const [where, options, declare] of places) {
      t.test(`${store.name}: tiers ${where} give each client the limits of its tier`, async (t) => {
        const { app } = await createStoreApp(t, store, { identify: byHeaders, ...options }, declare)
        t.strictSame(await remainders(app, '/a/b', requestAs('1', undefined, '/a/b'), requestAs('2', 'premium', '/a/b'), requestAs('2', 'premium', '/a/b')), [1, 3, 7, 6])
        t.strictSame(await statuses(app, 2, '/a/b'), [200, 429])
        t.strictSame(await statuses(app, 4, requestAs('1', undefined, '/a/b')), [200, 200, 200, 429])
        const { headers } = await app.inject(requestAs('2', 'premium', '/a/b'))
        t.equal(headers['x-ratelimit-limit'], '8')
      })
    }

    t.test(`${store.name}: a user whose tier changes has the buckets of the new one`, async (t) => {
      const { app } = await createStoreApp(t, store, { identify: byHeaders, max: 3, ...window, tiers })
      t.strictSame(await statuses(app, 5, requestAs('1')), [200, 200, 200, 200, 429])
      t.strictSame(await remainders(app, requestAs('1', 'premium')), [7])
      t.strictSame(await statuses(app, 1, requestAs('1')), [429], 'and back again has what he had')
    })

    t.test(`${store.name}: false is unlimited, with no header and nothing charged`, async (t) => {
      const { app } = await createStoreApp(t, store, { identify: byHeaders, max: 1, ...window, headers: 'both', tiers: { internal: false } }, (app) => {
        app.get('/outcome', async ({ rateLimit }) => ({ outcome: rateLimit?.outcome, tier: rateLimit?.client.tier, standings: rateLimit?.standings }))
      })
      t.strictSame(await statuses(app, 5, requestAs('1', 'internal')), [200, 200, 200, 200, 200])
      const response = await app.inject(requestAs('1', 'internal', '/outcome'))
      t.strictSame(response.json(), { outcome: 'exempt', tier: 'internal', standings: [] })
      t.strictSame(Object.keys(response.headers).filter((name) => name.includes('ratelimit')), [])
      t.strictSame(await remainders(app, requestAs('1')), [0], 'as another tier he has used nothing')
    })

    t.test(`${store.name}: a groupId shares the buckets of each tier between its routes`, async (t) => {
      const { app } = await createStoreApp(t, store, { identify: byHeaders }, (app) => {
        for (const url of ['/one', '/two']) app.get(url, { config: { rateLimit: { max: 3, ...window, tiers, groupId: 'search' } } }, async () => url)
      })
      t.strictSame(await remainders(app, '/one', '/two', requestAs('1', 'premium', '/one'), requestAs('1', 'premium', '/two')), [1, 0, 7, 6])
    })

    t.test(`${store.name}: peek and reset see the buckets of every tier`, async (t) => {
      const { app } = await createStoreApp(t, store, { identify: byHeaders, max: 3, ...window, tiers })
      await statuses(app, 2, requestAs('1'))
      await statuses(app, 3, requestAs('1', 'premium'))
      const used = async () => (await app.rateLimit.peek('user:1')).map(({ tier, limit, remaining }) => [tier, limit, limit - remaining])
      t.strictSame(await used(), [[null, 3, 0], ['anonymous', 2, 0], ['standard', 4, 2], ['premium', 8, 3]])
      t.equal(await app.rateLimit.reset('user:1'), 2)
      t.strictSame(await used(), [[null, 3, 0], ['anonymous', 2, 0], ['standard', 4, 0], ['premium', 8, 0]])
      t.strictSame(await remainders(app, requestAs('1'), requestAs('1', 'premium')), [3, 7])
    })
  }
})

t.test('a client of a tier without limits of its own has those of everybody, in their bucket', async (t) => {
  const { app } = await limitedApp(t, { identify: byHeaders, max: 5, tiers: { premium: { max: 9 } } })
  t.strictSame(await remainders(app, requestAs('1'), requestAs('1', 'standard'), '/'), [4, 3, 4])
})

t.test('limits of a route are not loosened by inherited tiers', async (t) => {
  const { app } = await limitedApp(t, { identify: byHeaders, max: 5, tiers: { premium: { max: 90 }, internal: false } })
  app.post('/login', { config: { rateLimit: { max: 2 } } }, async () => 'login')
  for (const tier of ['premium', 'internal']) {
    t.strictSame(await statuses(app, 3, { method: 'POST', ...requestAs(tier, tier, '/login') }), [200, 200, 429], tier)
  }
})

t.test('nor are the limits of a rule', async (t) => {
  const { app } = await limitedApp(t, { identify: byHeaders, max: 5, tiers: { internal: false }, rules: [{ name: 'a', match: '/a/*', max: 2 }] })
  app.get('/a/b', async () => 'b')
  t.strictSame(await statuses(app, 3, requestAs('1', 'internal', '/a/b')), [200, 200, 429])
})

t.test('a route that says nothing of limits keeps the inherited tiers and their buckets', async (t) => {
  const { app } = await limitedApp(t, { identify: byHeaders, max: 5, tiers: { premium: { max: 9 } } })
  app.get('/dear', { config: { rateLimit: { cost: 3 } } }, async () => 'dear')
  t.strictSame(await remainders(app, requestAs('1', 'premium'), requestAs('1', 'premium', '/dear'), requestAs('1', 'premium')), [8, 5, 4])
})

t.test('a route with tiers only keeps the inherited limits and the other tiers', async (t) => {
  const { app } = await limitedApp(t, { identify: byHeaders, max: 5, tiers: { premium: { max: 9 }, internal: false } })
  app.get('/own', { config: { rateLimit: { tiers: { premium: { max: 20 }, partner: { max: 7 } } } } }, async () => 'own')
  t.strictSame(await remainders(app, '/', '/own'), [4, 3], 'everybody')
  t.strictSame(await remainders(app, requestAs('1', 'premium'), requestAs('1', 'premium', '/own'), requestAs('1', 'premium')), [8, 19, 7], 'a tier said anew has buckets of its own')
  t.strictSame(await remainders(app, requestAs('2', 'partner', '/own'), requestAs('2', 'partner')), [6, 4], 'a tier that others do not know')
  t.strictSame(await statuses(app, 6, requestAs('3', 'internal', '/own')), [200, 200, 200, 200, 200, 200])
})

t.test('a field alone changes the tier that is inherited, not everybody\'s limits', async (t) => {
  const { app } = await limitedApp(t, { identify: byHeaders, max: 5, timeWindow: '1 minute', tiers: { premium: { max: 1, timeWindow: '90s' } } })
  app.get('/own', { config: { rateLimit: { tiers: { premium: { timeWindow: '7s' } } } } }, async () => 'own')
  const asked = requestAs('1', 'premium', '/own')
  await app.inject(asked)
  t.match((await app.inject(asked)).headers, { 'x-ratelimit-limit': '1', 'retry-after': '7' })
})

t.test('a tier may have several limits, by address and for all', async (t) => {
  const { app } = await limitedApp(t, {
    identify: byHeaders,
    max: 9,
    headers: 'ratelimit',
    tiers: { premium: { limits: [{ name: 'own', max: 3, timeWindow: '1 minute' }, { name: 'all', max: 4, timeWindow: '1 minute', by: 'global' }] } }
  })
  t.strictSame(await statuses(app, 4, requestAs('1', 'premium')), [200, 200, 200, 429])
  t.strictSame(await statuses(app, 2, requestAs('2', 'premium')), [200, 429], 'all premium users together')
  t.equal((await app.inject(requestAs('3', 'premium'))).headers['ratelimit-policy'], '"own";q=3;w=60, "all";q=4;w=60')
  t.strictSame(await statuses(app, 1), [200], 'and nobody else')
})

t.test('an unknown tier is the default one, with a warning for each of the first ten', async (t) => {
  const warned: string[] = []
  const onWarning = (warning: Error & { code?: string }) => { warned.push(`${warning.code}: ${warning.message}`) }
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const { app } = await limitedApp(t, { identify: byHeaders, max: 2, tiers: { standard: { max: 5 } } })
  app.get('/who', async ({ rateLimit }) => rateLimit?.client.tier)
  t.strictSame(await remainders(app, requestAs('1', 'gold'), requestAs('1', 'silver'), requestAs('1')), [4, 3, 2], 'they cannot make buckets without number')
  t.equal((await app.inject(requestAs('1', 'gold', '/who'))).body, 'standard')
  for (let tier = 0; tier < 20; tier++) await app.inject(requestAs('1', `tier${tier}`))
  await new Promise(setImmediate)
  t.strictSame(warned.map((text) => /^FST_SLUICE_WARN_UNKNOWN_TIER: no policy has limits for the tier "(\w+)"/.exec(text)?.[1]),
    ['gold', 'silver', ...[...Array(8).keys()].map((tier) => `tier${tier}`)])
})

t.test('a tier that a later route names is known from then on', async (t) => {
  const { app } = await limitedApp(t, { identify: byHeaders, max: 2 })
  app.get('/own', { config: { rateLimit: { tiers: { gold: { max: 7 } } } } }, async () => 'own')
  t.strictSame(await remainders(app, requestAs('1', 'gold', '/own'), requestAs('1', 'gold')), [6, 1])
})

t.test('the default tier is a matter of taste', async (t) => {
  const { app } = await limitedApp(t, { identify: { ...byHeaders, defaultTier: 'free' }, max: 2, tiers: { free: { max: 5 }, standard: { max: 7 } } })
  t.strictSame(await remainders(app, requestAs('1'), requestAs('1', 'unheard-of'), requestAs('1', 'standard'), '/'), [4, 3, 6, 1])
})

t.test('whoever must agree under one groupId must agree on its tiers, too', async (t) => {
  const rows: ReadonlyArray<readonly [second: RouteRateLimit['tiers'], why: string]> = [
    [{ premium: { max: 9 } }, 'another number'],
    [{ premium: { max: 8, timeWindow: '1s' } }, 'another window'],
    [{ premium: false }, 'unlimited here, limited there'],
    [undefined, 'a tier that the other does not have'],
    [{ premium: { max: 8 }, partner: { max: 8 } }, 'one that only the other has']
  ]
  for (const [second, why] of rows) {
    const { app } = await limitedApp(t, {})
    app.get('/one', { config: { rateLimit: { max: 5, groupId: 'search', tiers: { premium: { max: 8 } } } } }, async () => 'one')
    t.throws(() => app.get('/two', { config: { rateLimit: { max: 5, groupId: 'search', tiers: second } } }, async () => 'two'), {
      code: 'FST_SLUICE_UNEQUAL_LIMITS', message: /^GET \/two config\.rateLimit: group:search/
    }, why)
  }
})

t.test('routes of one group agree where they say the same in another order', async (t) => {
  const { app } = await limitedApp(t, { max: 5 })
  app.get('/one', { config: { rateLimit: { groupId: 'search', tiers: { premium: { max: 8 }, internal: false } } } }, async () => 'one')
  t.doesNotThrow(() => app.get('/two', { config: { rateLimit: { groupId: 'search', tiers: { internal: false, premium: { max: 8 } } } } }, async () => 'two'))
})
