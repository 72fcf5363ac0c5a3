import t from 'tap'
import { bareApp, limitedApp, statuses } from '../fixtures/app.js'

// A peer took max: '2', max: -1 and misspelt options for its default of 1000, and a NaN was never exceeded.
t.test('a limit that is no number stops the registration', async (t) => {
  for (const options of [{ max: '2' }, { max: -1 }, { max: NaN }, { timeWindow: 'foo' }, { maxx: 2 }]) {
    const { app, plugin } = bareApp(t)
    await t.rejects(async () => { await app.register(plugin, options as object) }, { code: /^FST_SLUICE_(BAD|UNKNOWN)_OPTION$/ })
  }
})

t.test('a cost that is no number is not free', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute', cost: () => NaN })
  t.strictSame(await statuses(app, 3), [200, 200, 429])
})
