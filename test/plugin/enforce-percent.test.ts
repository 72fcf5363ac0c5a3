import fc from 'fast-check'
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { limitedApp, statuses } from '../fixtures/app.js'
import { createStoreApp, requestAs, byHeaders, eachStore } from '../fixtures/each-store.js'
import { readSeries } from '../observability/metrics/samples.js'
import { assertPropertyAsync } from '../fixtures/property.js'

const limit = { max: 1, timeWindow: '1 hour' } as const
const CLIENTS = 400

const addressOf = (client: number): string => `203.0.${client >> 8}.${client & 255}`

/** The clients that are refused their second request. */
async function refused (app: FastifyInstance, url = '/'): Promise<Set<number>> {
  const found = new Set<number>()
  for (let client = 0; client < CLIENTS; client++) {
    const [, second] = await statuses(app, 2, { url, remoteAddress: addressOf(client) })
    if (second === 429) found.add(client)
  }
  return found
}

async function refusedAt (percent: number): Promise<Set<number>> {
  const { app } = await limitedApp(t, { ...limit, enforce: { percent } })
  return await refused(app)
}

t.test('limits are enforced for about that share of the clients', async (t) => {
  t.equal((await refusedAt(0)).size, 0)
  t.equal((await refusedAt(100)).size, CLIENTS)
  // Four standard deviations of 400 draws.
  for (const [percent, spread] of [[10, 24], [50, 40], [90, 24]]) {
    const share = (await refusedAt(percent)).size
    t.ok(Math.abs(share - CLIENTS * percent / 100) <= spread, `${share} of ${CLIENTS} at ${percent} %`)
  }
})

t.test('they are the same ones everywhere, and stay when the share grows', async (t) => {
  const some = await refusedAt(20)
  t.strictSame(await refusedAt(20), some, 'in another instance')
  const more = await refusedAt(60)
  t.ok([...some].every((client) => more.has(client)))

  const { app } = await limitedApp(t, { ...limit, enforce: { percent: 20 } })
  await app.rateLimit.reload({ enforce: { percent: 60 } })
  t.strictSame(await refused(app), more, 'and after a reload')
})

t.test('for the others nothing shows but the counts', async (t) => {
  const { app } = await limitedApp(t, { ...limit, enforce: { percent: 50 } })
  const enforced = await refused(app)
  const { app: fresh } = await limitedApp(t, { ...limit, enforce: { percent: 50 } })
  for (let client = 0; client < 20; client++) {
    const { headers } = await fresh.inject({ url: '/', remoteAddress: addressOf(client) })
    t.equal(headers['x-ratelimit-limit'], enforced.has(client) ? '1' : undefined)
  }
  const registry = app.rateLimit.metrics
  t.not(registry, null)
  if (registry === null) return
  t.strictSame(await readSeries({ registry }, 'rate_limit_rejections_total'), {
    '{route="/",limit="default",tier="anonymous",mode="enforce"}': enforced.size,
    '{route="/",limit="default",tier="anonymous",mode="shadow"}': CLIENTS - enforced.size
  })
})

t.test('who they are differs from scope to scope', async (t) => {
  const { app } = await limitedApp(t, { ...limit, enforce: { percent: 50 } })
  app.get('/other', { config: { rateLimit: { max: 1 } } }, async () => 'other')
  const here = await refused(app)
  const there = await refused(app, '/other')
  t.ok(there.size > 0 && there.size < CLIENTS, 'a route inherits the share')
  t.notSame(there, here)
})

t.test('on each store', async (t) => {
  for (const store of await eachStore()) {
    t.test(`${store.name}: a tier's limits, and those of a rule and a route, are rolled out too`, async (t) => {
      const { app } = await createStoreApp(t, store, {
        ...limit,
        identify: byHeaders,
        tiers: { premium: { max: 2, timeWindow: '1 hour' } },
        rules: [{ name: 'reports', match: '/reports', max: 1, timeWindow: '1 hour', enforce: { percent: 0 } }]
      }, (app) => {
        app.get('/reports', async () => 'reports')
        app.get('/route', { config: { rateLimit: { enforce: { percent: 0 } } } }, async () => 'route')
      })
      t.strictSame(await statuses(app, 3, '/reports'), [200, 200, 200])
      t.strictSame(await statuses(app, 3, '/route'), [200, 200, 200])
      t.strictSame(await statuses(app, 3, requestAs('1', 'premium', '/route')), [200, 200, 200])
      t.strictSame(await statuses(app, 3), [200, 429, 429], 'and what they used is another budget than the enforced one')
      t.strictSame(await statuses(app, 3, requestAs('1', 'premium')), [200, 200, 429])
    })

    t.test(`${store.name}: what throttles, strikes and refuses for want of a store does none of it for the others`, async (t) => {
      const trial = { max: 1, timeWindow: '1 hour', enforce: { percent: 0 } } as const
      const { app } = await createStoreApp(t, store, { ...trial, penalty: { strikes: 1 }, failureMode: 'closed' }, (app) => {
        app.get('/throttled', { config: { rateLimit: { ...trial, throttle: { maxDelay: '1s' } } } }, async () => 'throttled')
      })
      t.strictSame(await statuses(app, 5), [200, 200, 200, 200, 200])
      t.strictSame(await statuses(app, 5, '/throttled'), [200, 200, 200, 200, 200])
      t.ok((await app.rateLimit.peek('ip:127.0.0.1')).every(({ mode, blockedMs }) => mode === 'shadow' && blockedMs === 0))
    })
  }
})

t.test('a request is charged once, whichever half it is in', async () => {
  await assertPropertyAsync(fc.tuple(fc.integer({ min: 0, max: 65_535 }), fc.integer({ min: 0, max: 100 })), 40, async ([client, percent]) => {
    const { app } = await limitedApp(t, { max: 10, timeWindow: '1 hour', enforce: { percent } })
    app.get('/guarded', { preHandler: [app.rateLimit(), app.rateLimit()] }, async (request) => request.rateLimit?.standings.map(({ remaining }) => remaining))
    const { body } = await app.inject({ url: '/guarded', remoteAddress: addressOf(client) })
    if (body !== '[9]') throw new Error(`${percent} %: ${body} is left`)
  })
})

const mistakes: ReadonlyArray<readonly [enforce: unknown, message: string]> = [
  [{ percent: 101 }, 'rateLimit.enforce.percent: expected an integer from 0 to 100, got 101'],
  [{ percent: 0.5 }, 'rateLimit.enforce.percent: expected an integer from 0 to 100, got 0.5'],
  [{ percentage: 10 }, 'rateLimit.enforce.percentage: unknown option, did you mean "percent"?'],
  [10, 'rateLimit.enforce: expected an object: { percent? }, got 10']
]

for (const [enforce, message] of mistakes) {
  t.test(`refused: ${message}`, async (t) => {
    const options: object = { ...limit, enforce }
    await t.rejects(limitedApp(t, options), { message })
  })
}
