import t from 'tap'
import { bareApp, limitedApp, statuses } from '../fixtures/app.js'

const head = { method: 'HEAD', url: '/own' } as const

// A peer gave the HEAD twin of a route a counter of its own.
t.test('GET and HEAD of a route are refused together', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute' })
  app.get('/own', { config: { rateLimit: { max: 2 } } }, async () => 'own')
  t.strictSame([...await statuses(app, 2, '/own'), ...await statuses(app, 1, head)], [200, 200, 429])
})

t.test('the same for routes declared before the plugin was loaded', async (t) => {
  const { app, plugin } = bareApp(t)
  app.get('/own', { config: { rateLimit: { max: 2 } } }, async () => 'own')
  app.route({ method: ['GET', 'POST'], url: '/both', config: { rateLimit: { max: 2 } }, handler: async () => 'both' })
  app.register(plugin, { max: 9, timeWindow: '1 minute' })
  t.strictSame([...await statuses(app, 2, head), ...await statuses(app, 1, '/own')], [200, 200, 429])
  t.strictSame([...await statuses(app, 2, { method: 'HEAD', url: '/both' }), ...await statuses(app, 1, '/both')], [200, 200, 429])
})

// It did not count unknown URLs at all.
t.test('guessing at unknown URLs is limited', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute' })
  t.strictSame(await statuses(app, 3, '/.env'), [404, 404, 429])
})
