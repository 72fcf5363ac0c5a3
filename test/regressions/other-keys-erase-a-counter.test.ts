import t from 'tap'
import { limitedApp, statuses } from '../fixtures/app.js'

// A peer kept the 5000 newest keys: a client at its limit sent 5000 requests under other keys and started anew.
t.test('a client at its limit gains nothing by sending other keys', async (t) => {
  const { app } = await limitedApp(t, {
    max: 2, timeWindow: '1 hour', memory: { maxKeys: 200 }, keyGenerator: ({ headers }) => String(headers['x-key'])
  })
  const key = (name: string) => ({ url: '/', headers: { 'x-key': name } })
  t.strictSame(await statuses(app, 3, key('me')), [200, 200, 429])
  for (let i = 0; i < 2000; i++) await app.inject(key(`other ${i}`))
  t.strictSame(await statuses(app, 1, key('me')), [429])
})
