import t from 'tap'
import type { FastifyRequest } from 'fastify'
import { limitedApp, remainders, statuses } from '../fixtures/app.js'
import { createStoreApp, eachStore } from '../fixtures/each-store.js'

const byHeader = ({ headers }: FastifyRequest) => Number(headers.max ?? 100)
const windowByHeader = ({ headers }: FastifyRequest) => String(headers.window ?? '10 hours')

t.test('on each store', async (t) => {
  for (const store of await eachStore()) {
    for (const algorithm of ['token-bucket', 'sliding-window', 'fixed-window'] as const) {
      t.test(`${store.name}, ${algorithm}: a function keeps its buckets while the number beside it changes`, async (t) => {
        const { app } = await createStoreApp(t, store, { max: byHeader, timeWindow: '10 hours', algorithm })
        await statuses(app, 40)
        await statuses(app, 1, { url: '/', headers: { max: '7' } })
        await app.rateLimit.reload({ timeWindow: '1 hour' })
        t.strictSame((await app.rateLimit.peek('ip:127.0.0.1')).map(({ max, windowMs, remaining }) => [max, windowMs, remaining]), [[100, 3_600_000, 60], [7, 3_600_000, 6]])
        t.strictSame(await remainders(app, '/', { url: '/', headers: { max: '7' } }), [59, 5])
        await app.rateLimit.reload({ max: (request) => byHeader(request), timeWindow: '20 hours' })
        t.strictSame(await remainders(app, '/'), [58], 'another function that answers the same')
        t.equal(await app.rateLimit.reset('ip:127.0.0.1'), 2)
      })

      t.test(`${store.name}, ${algorithm}: the same with a window by function`, async (t) => {
        const { app } = await createStoreApp(t, store, { max: 100, timeWindow: windowByHeader, algorithm })
        await statuses(app, 40)
        await app.rateLimit.reload({ max: 1000 })
        t.strictSame(await remainders(app, '/'), [959])
        await app.rateLimit.reload({ max: 50 })
        t.strictSame(await remainders(app, '/'), [8])
      })
    }
  }
})

t.test('functions of the code stay where a reload says nothing of them', async (t) => {
  const { app } = await limitedApp(t, { max: byHeader, timeWindow: '1 hour', keyGenerator: ({ headers }) => String(headers.key), cost: () => 3 })
  const keyed = (key: string) => ({ url: '/', headers: { key } })
  await app.rateLimit.reload({ headers: 'both', rules: [{ name: 'r', match: '/r', max: 5 }] })
  t.strictSame(await remainders(app, keyed('a'), keyed('a'), keyed('b')), [97, 94, 97])
})

t.test('a reload by call may bring functions, which go with the next', async (t) => {
  const { app } = await limitedApp(t, { max: 10, timeWindow: '1 hour' })
  const keyed = (key: string) => ({ url: '/', headers: { key } })
  t.strictSame(await remainders(app, keyed('a'), keyed('b')), [9, 8])
  await app.rateLimit.reload({
    keyGenerator: ({ headers }) => String(headers.key),
    cost: () => 2,
    tiers: { gold: { max: () => 3 } }
  })
  t.strictSame(await remainders(app, keyed('a'), keyed('b'), keyed('a')), [8, 8, 6])
  await app.rateLimit.reload({})
  t.strictSame(await remainders(app, keyed('a')), [7], 'by the address again, whose bucket waited')
})

t.test('routes that share buckets agree on what is written beside their functions', async (t) => {
  const { app } = await limitedApp(t, {})
  app.get('/a', { config: { rateLimit: { groupId: 'g', max: byHeader, timeWindow: '1 hour' } } }, async () => '')
  app.get('/b', { config: { rateLimit: { groupId: 'g', max: byHeader, timeWindow: '1 hour' } } }, async () => '')
  t.throws(() => app.get('/c', { config: { rateLimit: { groupId: 'g', max: byHeader, timeWindow: '2 hours' } } }, async () => ''), { code: 'FST_SLUICE_UNEQUAL_LIMITS' })
  t.throws(() => app.get('/d', { config: { rateLimit: { groupId: 'g', max: 100, timeWindow: windowByHeader } } }, async () => ''), { code: 'FST_SLUICE_UNEQUAL_LIMITS' })
})
