// Clients are in no label, so however many there are, there are only so many series.
import t from 'tap'
import { limitedApp } from '../../fixtures/app.js'
import { createDecision, createIpClient } from '../../fixtures/refusal-log.js'
import { createTestMetrics, readSamples, createStanding } from './samples.js'

const CLIENTS = 1_000_000
const REQUESTS = 3000

function addressOf (i: number): string {
  return `10.${i >>> 16 & 255}.${i >>> 8 & 255}.${i & 255}`
}

t.test('a million clients leave the number of series as it was', async (t) => {
  const metrics = await createTestMetrics()
  const route = { url: '/' }
  const granted = [createStanding({ name: 'burst' }, { remaining: 1 })]
  const refused = [createStanding({ name: 'burst' }, { granted: false }), createStanding({ name: 'trial', mode: 'shadow' }, { granted: false })]
  const count = (i: number) => {
    const decision = createDecision(createIpClient(addressOf(i)), i % 2 === 0 ? 'exempt' : 'unavailable')
    metrics.countDecision(route, decision, i % 3 === 0 ? refused : granted)
  }
  for (let i = 0; i < 6; i++) count(i)
  const series = [...(await readSamples(metrics)).keys()]
  for (let i = 6; i < CLIENTS; i++) count(i)
  const samples = await readSamples(metrics)
  t.strictSame([...samples.keys()], series)
  t.equal(samples.get('rate_limit_requests_total{route="/",tier="anonymous",outcome="exempt"}'), CLIENTS / 2, 'all of them were counted')
  t.equal(samples.get('rate_limit_rejections_total{route="/",limit="trial",tier="anonymous",mode="shadow"}'), Math.ceil(CLIENTS / 3))
})

t.test('what is read at /metrics has as many lines after thousands of clients, users and made-up URLs as after one', async (t) => {
  const { app } = await limitedApp(t, {
    limits: [{ name: 'burst', max: 2, timeWindow: '1 hour' }, { name: 'trial', max: 1, timeWindow: '1 hour', mode: 'shadow' }],
    identify: { custom: ({ headers: { user } }) => typeof user === 'string' ? { id: user, tier: user } : null }
  })
  app.get('/users/:id', async () => 'user')
  const visit = async (i: number) => {
    const remoteAddress = addressOf(i)
    for (let again = 0; again < 3; again++) await app.inject({ url: `/users/${i}`, remoteAddress })
    await app.inject({ url: `/no/such/thing/${i}`, remoteAddress, headers: { user: `user-${i}` } })
  }
  const series = async () => (await app.inject('/metrics')).body.split('\n').map((line) => line.slice(0, line.lastIndexOf(' ')))
  await visit(0)
  const before = await series()
  t.ok(before.length > 10)
  for (let i = 1; i < REQUESTS / 4; i++) await visit(i)
  const after = await series()
  t.strictSame(after, before)
})
