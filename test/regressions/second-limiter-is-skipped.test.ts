import t from 'tap'
import { limitedApp, statuses } from '../fixtures/app.js'

// A peer marked the request as limited once, and skipped every limiter after the first without a word.
t.test('a stricter limiter behind the global one is enforced', async (t) => {
  const { app } = await limitedApp(t, { max: 100, timeWindow: '1 minute' })
  app.get('/strict', { preHandler: app.rateLimit({ max: 1, groupId: 'strict' }) }, async () => 'strict')
  t.strictSame(await statuses(app, 3, '/strict'), [200, 429, 429])
})

t.test('a nested registration has decorators of its own limits', async (t) => {
  const { app, plugin } = await limitedApp(t, { max: 100, timeWindow: '1 minute' })
  app.register(async (child) => {
    await child.register(plugin, { max: 7, timeWindow: '1 minute' })
    child.get('/nested', async (request) => (await child.rateLimit.check(request))?.limit)
  })
  t.equal((await app.inject('/nested')).body, '7')
})
