import t from 'tap'
import { limitedApp, remainders, statuses } from '../fixtures/app.js'

const key = (name: string) => ({ url: '/', headers: { 'x-key': name } })
const byKey = ({ headers }: { headers: Record<string, unknown> }) => String(headers['x-key'])

t.test('a key names the client, whether it comes at once or later', async (t) => {
  for (const keyGenerator of [byKey, async (request: Parameters<typeof byKey>[0]) => byKey(request)]) {
    const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute', keyGenerator })
    t.strictSame(await remainders(app, key('a'), key('b'), key('a')), [1, 1, 0])
    t.strictSame(await statuses(app, 1, key('a')), [429])
  }
})

t.test('a key shares no bucket with an address of the same text', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute', keyGenerator: ({ headers }) => String(headers['x-key'] ?? '') })
  t.strictSame(await remainders(app, '/', key('127.0.0.1'), key('ip:127.0.0.1')), [1, 1, 1])
})

t.test('long keys that differ in their last character are two clients', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute', keyGenerator: byKey })
  const long = 'k'.repeat(5000)
  t.strictSame(await remainders(app, key(`${long}1`), key(`${long}2`), key(`${long}1`)), [1, 1, 0])
})

t.test('no key can be chosen that equals the hash of a long one', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute', keyGenerator: byKey })
  const long = 'k'.repeat(200)
  let partition = ''
  app.get('/who', async (request) => { partition = request.rateLimit?.client.partition ?? '' })
  t.strictSame(await remainders(app, { ...key(long), url: '/who' }), [1])
  t.strictSame(await remainders(app, key(partition), key(partition.slice('key'.length)), key(partition.slice('key#'.length))), [1, 1, 1])
})

t.test('a key that does not come within a second is the address', async (t) => {
  const { app, log } = await limitedApp(t, { max: 2, timeWindow: '1 hour', algorithm: 'fixed-window', keyGenerator: () => new Promise<string>(() => {}) })
  const url = await app.listen({ port: 0 })
  const answers = await Promise.all([1, 2, 3].map(() => fetch(url)))
  t.strictSame(answers.map(({ status }) => status).sort(), [200, 200, 429])
  t.match(log, [{ source: 'keyGenerator', err: { message: 'no key within 1000 ms' } }])
})
