import t from 'tap'
import { remainders } from '../fixtures/app.js'
import { createStoreApp, eachStore } from '../fixtures/each-store.js'

const HOURS = { timeWindow: '100 hours' }

for (const store of await eachStore()) {
  t.test(`${store.name}: peek and reset find after a reload what guards, checks and functions have used`, async (t) => {
    const { app } = await createStoreApp(t, store, { ...HOURS, max: ({ headers }) => Number(headers.max ?? 9) }, (app) => {
      app.get('/checked', { config: { rateLimit: false } }, async (request, reply) => {
        const decision = await app.rateLimit.check(request, { groupId: 'checked', max: 5, ...HOURS })
        reply.header('x-ratelimit-remaining', decision?.remaining)
      })
      app.get('/guarded', { config: { rateLimit: false }, preHandler: app.rateLimit({ groupId: 'guarded', max: 6, ...HOURS }) }, async () => '')
    })
    const used = async () => (await app.rateLimit.peek('ip:127.0.0.1')).map(({ scope, max, remaining }) => `${scope} ${remaining} of ${max}`).sort()
    t.strictSame(await remainders(app, '/', '/checked', '/guarded', { url: '/', headers: { max: '7' } }), [8, 4, 5, 6])
    for (const headers of ['both', 'off', 'x-ratelimit'] as const) {
      await app.rateLimit.reload({ headers })
      t.strictSame(await used(), ['default 6 of 7', 'default 8 of 9', 'group:checked 4 of 5', 'group:guarded 5 of 6'])
    }
    t.equal(await app.rateLimit.reset('ip:127.0.0.1'), 4)
    await app.rateLimit.reload({})
    t.strictSame(await remainders(app, '/checked', '/guarded', '/'), [4, 5, 8])
  })
}
