import { connect } from 'node:http2'
import { once } from 'node:events'
import fastify from 'fastify'
import t from 'tap'
import rateLimitPlugin from '../../../lib/index.js'
import { limitedApp, SECOND, statuses } from '../../fixtures/app.js'
import { startPageInstance } from '../../fixtures/page-fleet.js'

const DATA = '/admin/rate-limit/page/data'

t.test('viewers within a second see one state, and what an operator changes is seen at once', async (t) => {
  const onRequest = async () => {}
  const { app, clock } = await limitedApp(t, { max: 1, timeWindow: '1 hour', penalty: { strikes: 1, cooldown: '1 hour' }, admin: { page: true, onRequest } })
  const look = async () => (await app.inject(DATA)).json()
  const first = await look()
  await statuses(app, 3)
  t.strictSame(await look(), first)
  clock.advance(SECOND)
  t.match(await look(), { blocked: [{ partition: 'ip:127.0.0.1', scope: 'default' }] })
  await app.inject({ method: 'DELETE', url: '/admin/rate-limit/standings?partition=ip:127.0.0.1' })
  t.strictSame((await look()).blocked, [])
  await app.inject({ method: 'PUT', url: '/admin/rate-limit/state', payload: { enabled: false } })
  t.match(await look(), { instances: [{ enabled: false, configured: true }], policiesVersion: first.policiesVersion + 1 })
})

t.test('a reload is seen, with a new version of the policies', async (t) => {
  const { app, look } = await startPageInstance(t, { rules: [{ name: 'login', match: '/login', max: 5, timeWindow: '1 minute' }] })
  const { policiesVersion, instances } = await look()
  t.equal((await look()).policiesVersion, policiesVersion)
  t.equal(instances[0].reload, null)
  await app.rateLimit.reload({ max: 7 })
  const after = await look()
  t.equal(after.policiesVersion, policiesVersion + 1)
  t.match(after.instances[0].reload, { isApplied: true, error: null })
  t.ok(Math.abs((after.instances[0].reload?.atMs ?? 0) - after.atMs) < 60_000)
  const wrong: object = { max: `\u001b[31m${'x'.repeat(1000)}` }
  await t.rejects(app.rateLimit.reload(wrong))
  const { reload } = (await look()).instances[0]
  t.match(reload, { isApplied: false, error: /^reload\.max: expected an integer [^\p{C}]*got [^\p{C}]*xxx/u })
  t.ok((reload?.error ?? '').length <= 403)
})

t.test('a concurrency limit, a quota and a limit in shadow mode are shown as such', async (t) => {
  const { app, look } = await startPageInstance(t, {
    limits: [{ name: 'burst', max: 5, timeWindow: '1 minute' }, { name: 'monthly', max: 100, period: 'month' }, { name: 'strict', max: 1, timeWindow: '1 minute', mode: 'shadow' }],
    concurrency: { max: 4 },
    max: undefined,
    timeWindow: undefined
  })
  await statuses(app, 3)
  const { limits, clients, outcomes } = await look()
  const byName = (name: string) => limits.find((limit) => limit.name === name)
  t.match(byName('burst'), { scope: 'default', tier: null, mode: 'enforce', max: 5, windowMs: 60_000, period: null, isConcurrency: false, inFlight: null, refused: 0, canSimulate: true })
  t.match(byName('monthly'), { period: 'month', windowMs: null, max: 100 })
  t.match(byName('strict'), { mode: 'shadow', refused: 2 })
  t.match(byName('concurrency'), { isConcurrency: true, windowMs: null, inFlight: 0 })
  t.equal(byName('burst')?.utilisation.length, 10)
  t.match(clients.top, [{ partition: 'ip:127.0.0.1', isHashed: false, requests: 3 }])
  t.match(outcomes.series, [{ route: '/' }])
  const what = await app.inject(`/admin/rate-limit/page/what-if?limit=${encodeURIComponent(byName('burst')?.bucket ?? '')}&max=1`)
  t.match(what.json(), { limit: byName('burst')?.bucket, max: 1, clients: 1, requests: 3, refused: 2, refusedNow: 0 })
})

t.test('clients are hashed as in the log', async (t) => {
  const { app, look } = await startPageInstance(t, { log: { hashClients: true, hashSecret: 'x'.repeat(32) } })
  await statuses(app, 1)
  const { clients: { top: [client] } } = await look()
  t.equal(client.isHashed, true)
  t.notMatch(client.partition, '127.0.0.1')
})

t.test('the page answers over HTTP/2', async (t) => {
  const app = fastify({ http2: true })
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { max: 10, timeWindow: '1 minute', admin: { page: true } })
  const session = connect(await app.listen({ port: 0, host: '127.0.0.1' }))
  t.teardown(() => session.close())
  const get = async (headers: Record<string, string>) => {
    const stream = session.request({ ':path': DATA, ...headers })
    const [answer] = await once(stream, 'response')
    stream.resume()
    await once(stream, 'close')
    return answer[':status']
  }
  t.equal(await get({}), 200)
  t.equal(await get({ ':authority': 'evil.example' }), 404)
  t.equal(await get({ host: 'evil.example' }), 404)
  t.equal(await get({ origin: 'http://evil.example' }), 404)
})
