import t from 'tap'
import { limitedApp, statuses } from '../fixtures/app.js'

// A peer threw what the builder answered: an object without a statusCode became a 500.
t.test('an object of the builder keeps the status 429', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 minute', errorResponseBuilder: () => ({ error: 'slow down' }) })
  t.strictSame(await statuses(app, 2), [200, 429])
})

// One day's "500s" of a project were half of them refusals: its error handler did not read error.statusCode.
t.test('an error handler that reads no status keeps the status 429', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 minute', errorResponseBuilder: () => new Error('slow down') })
  app.setErrorHandler((_error, _request, reply) => { reply.send({ error: 'something' }) })
  t.strictSame(await statuses(app, 2), [200, 429])
})
