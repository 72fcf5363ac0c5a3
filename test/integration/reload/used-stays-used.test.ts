// What was used stays used, in units, whatever a reload changes; on memory and on Redis.
import t from 'tap'
import type { FastifyInstance, InjectOptions } from 'fastify'
import type { LayerOptions } from '../../../lib/config/layers/layer.js'
import type { RateLimitOptions } from '../../../lib/index.js'
import { limitedApp, remainders, SECOND, statuses } from '../../fixtures/app.js'
import { createStoreApp, requestAs, byHeaders, eachStore } from '../../fixtures/each-store.js'
import { ALGORITHMS } from '../../fixtures/limits.js'
import { until } from '../../fixtures/until.js'

/** No bucket gains a unit in the time of a test. */
const timeWindow = '100 hours'

/** As many units as the request says. */
const cost: RateLimitOptions['cost'] = ({ headers }) => Number(headers.cost ?? 1)
const taking = (units: number): InjectOptions & { url: string } => ({ url: '/', headers: { cost: String(units) } })

/** Ways to a policy: how the options give it its limits, and a request that is under it. */
const WAYS: ReadonlyArray<readonly [title: string, options: (max: number) => RateLimitOptions, request: InjectOptions & { url: string }]> = [
  ['the default', (max) => ({ max, timeWindow }), { url: '/' }],
  ['one of several limits', (max) => ({ limits: [{ name: 'all', max: 5000, timeWindow }, { name: 'one', max, timeWindow }] }), { url: '/' }],
  ['a tier', (max) => ({ identify: byHeaders, tiers: { gold: { max, timeWindow } } }), requestAs('ann', 'gold')],
  ['a rule', (max) => ({ rules: [{ name: 'r', match: '/ruled', max, timeWindow }] }), { url: '/ruled' }],
  ['a rule that overrides a route', (max) => ({ rules: [{ name: 'r', match: '/own', override: true, max, timeWindow }] }), { url: '/own' }],
  ['a group', (max) => ({ rules: [{ name: 'a', match: '/ruled', groupId: 'g', max, timeWindow }, { name: 'b', match: '/other', groupId: 'g', max, timeWindow }] }), { url: '/ruled' }],
  ['a guard that takes the default', (max) => ({ global: false, max, timeWindow }), { url: '/guarded' }],
  ['a function that answers for everybody', (max) => ({ max: () => 1000, timeWindow: max === 1000 ? '100 hours' : '101 hours', burst: max }), { url: '/' }]
]

function declare (app: FastifyInstance): void {
  for (const path of ['/ruled', '/other']) app.get(path, async () => path)
  app.get('/own', { config: { rateLimit: { max: 9, timeWindow: '1 second' } } }, async () => 'own')
  app.get('/guarded', { preHandler: app.rateLimit() }, async () => 'guarded')
}

/** The names of what may be reloaded only; the rest is the same at all times. */
function reloadable ({ identify, ...options }: RateLimitOptions): LayerOptions {
  return options
}

for (const store of await eachStore()) {
  for (const algorithm of ALGORITHMS) {
    t.test(`${store.name}, ${algorithm}: max up, down and up again`, async (t) => {
      const { app } = await createStoreApp(t, store, { max: 100, timeWindow, algorithm, cost })
      await app.inject(taking(49))
      t.strictSame(await remainders(app, '/'), [50])
      await app.rateLimit.reload({ max: 1000 })
      t.strictSame(await remainders(app, '/', taking(10)), [949, 939])
      await app.rateLimit.reload({ max: 100 })
      t.strictSame(await remainders(app, '/'), [38])
      await app.rateLimit.reload({ max: 1000 })
      t.strictSame(await remainders(app, taking(500)), [438])
      await app.rateLimit.reload({ max: 100 })
      t.strictSame(await statuses(app, 2), [429, 429], 'more than the new capacity is all of it')
    })

    t.test(`${store.name}, ${algorithm}: from a minute to ten seconds and back`, async (t) => {
      const { app } = await createStoreApp(t, store, { max: 100, timeWindow: '1 minute', algorithm, cost })
      const beganMs = performance.now()
      let used = 0
      const take = async (units: number): Promise<void> => {
        const [left] = await remainders(app, taking(units))
        used += units
        // A token bucket of ten seconds gains ten units in each.
        const gained = algorithm === 'token-bucket' ? Math.ceil((performance.now() - beganMs) / 100) : 0
        t.ok(100 - left <= used && 100 - left >= used - gained, `${100 - left} used of ${used}`)
      }
      await take(50)
      await app.rateLimit.reload({ timeWindow: '10s' })
      await take(1)
      await app.rateLimit.reload({ timeWindow: '1 minute' })
      await take(1)
      await app.rateLimit.reload({ timeWindow: '10s', max: 200 })
      const [left] = await remainders(app, '/')
      t.ok(left >= 147, `${left} left of 200`)
    })

    t.test(`${store.name}, ${algorithm}: a raised limit takes hold for a refused client at once`, async (t) => {
      const { app } = await createStoreApp(t, store, { max: 3, timeWindow, algorithm })
      t.strictSame(await statuses(app, 6), [200, 200, 200, 429, 429, 429])
      await app.rateLimit.reload({ max: 5 })
      t.strictSame(await statuses(app, 4), [200, 200, 429, 429])
      await app.rateLimit.reload({ max: 6 })
      t.strictSame(await statuses(app, 2), [200, 429])
    })
  }

  for (const [title, options, request] of WAYS) {
    t.test(`${store.name}, ${title}: used units stay, and a raise takes hold at once`, async (t) => {
      const { app } = await createStoreApp(t, store, options(100), declare)
      await statuses(app, 60, request)
      await app.rateLimit.reload(reloadable(options(1000)))
      t.strictSame(await remainders(app, request), [939])
      await app.rateLimit.reload(reloadable(options(62)))
      t.strictSame(await statuses(app, 3, request), [200, 429, 429])
      await app.rateLimit.reload(reloadable(options(64)))
      t.strictSame(await statuses(app, 3, request), [200, 200, 429])
    })
  }

  t.test(`${store.name}: another algorithm keeps the units`, async (t) => {
    const { app } = await createStoreApp(t, store, { max: 100, timeWindow, cost })
    await app.inject(taking(40))
    for (const [i, algorithm] of (['fixed-window', 'sliding-window', 'token-bucket'] as const).entries()) {
      await app.rateLimit.reload({ algorithm })
      t.strictSame(await remainders(app, '/'), [59 - i])
    }
  })

  t.test(`${store.name}: who is blocked stays blocked, and the block ends when it would have`, async (t) => {
    const { app } = await createStoreApp(t, store, { max: 1, timeWindow, penalty: { strikes: 2, cooldown: '10 minutes' } }, (app) => {
      app.get('/peek', { config: { rateLimit: false } }, async (request) => (await app.rateLimit.check(request, { cost: 0 }))?.outcome)
    })
    t.strictSame(await statuses(app, 4), [200, 429, 429, 429])
    for (const change of [{ max: 1000 }, { max: 1000, timeWindow: '10s' }, { algorithm: 'fixed-window', max: 7 }, { max: 100, headers: 'both' }] as const) {
      await app.rateLimit.reload(change)
      const { statusCode, headers } = await app.inject('/')
      t.equal(statusCode, 429)
      const waitS = Number(headers['retry-after'])
      t.ok(waitS > 500 && waitS <= 600, `${waitS} s`)
      t.equal((await app.inject('/peek')).body, 'blocked')
    }
    await app.rateLimit.reload({ max: 1000, penalty: { strikes: 2, cooldown: '20 minutes' } })
    t.ok(Number((await app.inject('/')).headers['retry-after']) <= 600, 'a longer cooldown is for blocks to come')
    await app.rateLimit.reset('ip:127.0.0.1')
    t.equal((await app.inject('/')).statusCode, 200)
  })

  t.test(`${store.name}: strikes are kept`, async (t) => {
    const { app } = await createStoreApp(t, store, { max: 1, timeWindow, penalty: { strikes: 3, cooldown: '10 minutes' } })
    t.strictSame(await statuses(app, 3), [200, 429, 429])
    await app.rateLimit.reload({ timeWindow: '50 hours' })
    await app.inject('/')
    await app.rateLimit.reload({ max: 1000 })
    t.equal((await app.inject('/')).statusCode, 429, 'blocked by the third')
  })

  t.test(`${store.name}: a shorter window ends the wait of a refused client`, async (t) => {
    const { app } = await createStoreApp(t, store, { max: 1, timeWindow: '100 hours' })
    await statuses(app, 2)
    await app.rateLimit.reload({ timeWindow: '1s' })
    const { headers } = await app.inject('/')
    t.equal(headers['retry-after'], '1')
    await until('a grant', 30_000, async () => (await app.inject('/')).statusCode === 200)
  })
}

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: half-way through a minute is half-way through ten seconds`, async (t) => {
    const { app, clock } = await limitedApp(t, { max: 100, timeWindow: '1 minute', algorithm, cost })
    await app.inject(taking(100))
    clock.advance(30 * SECOND)
    await app.rateLimit.reload({ timeWindow: '10s' })
    const { statusCode, headers } = await app.inject(taking(51))
    t.equal(statusCode, 429)
    t.equal(headers['retry-after'], algorithm === 'token-bucket' ? '1' : '5')
    clock.advance(5 * SECOND)
    t.strictSame(await remainders(app, '/'), [99])
  })
}
