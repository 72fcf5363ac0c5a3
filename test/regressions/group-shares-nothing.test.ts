import t from 'tap'
import { limitedApp, statuses } from '../fixtures/app.js'

// A peer let 3 + 3 requests through at max 3: its group was part of the key, and each route kept a store of its own.
for (const algorithm of ['token-bucket', 'sliding-window', 'fixed-window'] as const) {
  t.test(`${algorithm}: a group lets max requests through in all, not for each route`, async (t) => {
    const { app } = await limitedApp(t, { timeWindow: '1 minute', algorithm })
    for (const url of ['/one', '/two']) app.get(url, { config: { rateLimit: { max: 3, groupId: 'g' } } }, async () => url)
    t.strictSame([...await statuses(app, 2, '/one'), ...await statuses(app, 2, '/two'), ...await statuses(app, 1, '/one')], [200, 200, 200, 429, 429])
  })
}
