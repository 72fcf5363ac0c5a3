// However many names there are, there are only so many series.
import t from 'tap'
import { createTestMetrics, readSamples, readSeries, createStanding } from './samples.js'

t.test('a million tiers are a hundred, and one for the others', async (t) => {
  const metrics = await createTestMetrics()
  const meter = metrics.getRoute('/')
  meter.count('allowed', 'anonymous')
  for (let i = 0; i < 1_000_000; i++) meter.count('allowed', `tier-${i}`)
  const series = await readSeries(metrics, 'rate_limit_requests_total')
  t.equal(Object.keys(series).length, 1 + 100 + 1)
  t.equal(series['{route="/",tier="anonymous",outcome="allowed"}'], 1)
  t.equal(series['{route="/",tier="tier-99",outcome="allowed"}'], 1)
  t.equal(series['{route="/",tier="(other)",outcome="allowed"}'], 1_000_000 - 100)
})

t.test('the tiers that have a name on one route have it on all', async (t) => {
  const metrics = await createTestMetrics()
  for (let i = 0; i < 100; i++) metrics.getRoute('/a').count('allowed', `tier-${i}`)
  metrics.getRoute('/b').count('allowed', 'tier-0')
  metrics.getRoute('/b').count('allowed', 'late')
  metrics.getRoute('/b').countRefusal('burst', 'late', 'enforce')
  const samples = await readSamples(metrics)
  t.equal(samples.get('rate_limit_requests_total{route="/b",tier="tier-0",outcome="allowed"}'), 1)
  t.equal(samples.get('rate_limit_requests_total{route="/b",tier="(other)",outcome="allowed"}'), 1)
  t.equal(samples.get('rate_limit_rejections_total{route="/b",limit="burst",tier="(other)",mode="enforce"}'), 1)
})

t.test('routes past ten thousand are one', async (t) => {
  const metrics = await createTestMetrics()
  for (let i = 0; i < 10_010; i++) metrics.getRoute(`/${i}`).count('allowed', 'anonymous')
  t.equal(metrics.getRoute('/late'), metrics.getRoute('/later'))
  t.equal(metrics.getRoute('/0'), metrics.getRoute('/0'))
  t.not(metrics.getRoute('/0'), metrics.getRoute('/late'))
  t.equal(Object.keys(await readSeries(metrics, 'rate_limit_requests_total')).length, 10_001)
  t.equal((await readSamples(metrics)).get('rate_limit_requests_total{route="(other)",tier="anonymous",outcome="allowed"}'), 10)
})

t.test('limits past a thousand are one, wherever they are counted', async (t) => {
  const metrics = await createTestMetrics()
  for (let i = 0; i < 1000; i++) metrics.initLimit(`limit-${i}`)
  const names = ['limit-5', 'late', 'later']
  const meter = metrics.getRoute('/')
  for (const name of names) {
    meter.countRefusal(name, 'anonymous', 'shadow')
    meter.countLimits([createStanding({ name }, { remaining: 1 })], 'anonymous')
  }
  t.strictSame(await readSeries(metrics, 'rate_limit_rejections_total'), {
    '{route="/",limit="limit-5",tier="anonymous",mode="shadow"}': 1,
    '{route="/",limit="(other)",tier="anonymous",mode="shadow"}': 2
  })
  const near = await readSeries(metrics, 'rate_limit_near_limit_total')
  t.equal(Object.keys(near).length, 1001)
  t.equal(near['{limit="limit-5"}'], 1)
  t.equal(near['{limit="(other)"}'], 2)
})

t.test('names that a prototype has are names like others', async (t) => {
  const metrics = await createTestMetrics()
  for (const name of ['__proto__', 'constructor', 'toString']) {
    metrics.getRoute(name).count('allowed', name)
    metrics.getRoute(name).countRefusal(name, name, 'enforce')
  }
  t.equal(Object.keys(await readSeries(metrics, 'rate_limit_requests_total')).length, 3)
  t.equal(Object.keys(await readSeries(metrics, 'rate_limit_rejections_total')).length, 3)
})
