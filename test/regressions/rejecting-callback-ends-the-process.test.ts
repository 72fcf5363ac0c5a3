import t from 'tap'
import { limitedApp, statuses } from '../fixtures/app.js'

// A peer did not await its callbacks: an async one that rejected was an unhandled rejection, and Node ended the process.
t.test('a callback that rejects is logged, and no rejection is left unhandled', async (t) => {
  const unhandled: unknown[] = []
  const note = (reason: unknown) => { unhandled.push(reason) }
  process.on('unhandledRejection', note)
  t.teardown(() => { process.off('unhandledRejection', note) })
  const reject = async () => { throw new Error('broken') }
  const { app, log } = await limitedApp(t, {
    max: 1,
    timeWindow: '1 minute',
    keyGenerator: reject,
    cost: reject as never,
    onExceeding: reject,
    onExceeded: reject,
    errorResponseBuilder: reject
  })
  t.strictSame(await statuses(app, 3), [200, 429, 429])
  await new Promise(setImmediate)
  t.strictSame(unhandled, [])
  t.strictSame(log.map(({ source }) => source).sort(), ['cost', 'errorResponseBuilder', 'keyGenerator', 'onExceeded', 'onExceeding'])
})
