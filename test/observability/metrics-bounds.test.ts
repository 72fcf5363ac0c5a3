// However many names there are, there are only so many series.
import t from 'tap'
import { metricsIn, samplesIn, seriesOf, standing } from './metrics-samples.js'

t.test('a million tiers are a hundred, and one for the others', async (t) => {
  const metrics = await metricsIn()
  const meter = metrics.route('/')
  meter.count('allowed', 'anonymous')
  for (let i = 0; i < 1_000_000; i++) meter.count('allowed', `tier-${i}`)
  const series = await seriesOf(metrics, 'rate_limit_requests_total')
  t.equal(Object.keys(series).length, 1 + 100 + 1)
  t.equal(series['{route="/",tier="anonymous",outcome="allowed"}'], 1)
  t.equal(series['{route="/",tier="tier-99",outcome="allowed"}'], 1)
  t.equal(series['{route="/",tier="(other)",outcome="allowed"}'], 1_000_000 - 100)
})

t.test('the tiers that have a name on one route have it on all', async (t) => {
  const metrics = await metricsIn()
  for (let i = 0; i < 100; i++) metrics.route('/a').count('allowed', `tier-${i}`)
  metrics.route('/b').count('allowed', 'tier-0')
  metrics.route('/b').count('allowed', 'late')
  metrics.route('/b').countRefusal('burst', 'late', 'enforce')
  const samples = await samplesIn(metrics)
  t.equal(samples.get('rate_limit_requests_total{route="/b",tier="tier-0",outcome="allowed"}'), 1)
  t.equal(samples.get('rate_limit_requests_total{route="/b",tier="(other)",outcome="allowed"}'), 1)
  t.equal(samples.get('rate_limit_rejections_total{route="/b",limit="burst",tier="(other)",mode="enforce"}'), 1)
})

t.test('routes past ten thousand are one', async (t) => {
  const metrics = await metricsIn()
  for (let i = 0; i < 10_010; i++) metrics.route(`/${i}`).count('allowed', 'anonymous')
  t.equal(metrics.route('/late'), metrics.route('/later'))
  t.equal(metrics.route('/0'), metrics.route('/0'))
  t.not(metrics.route('/0'), metrics.route('/late'))
  t.equal(Object.keys(await seriesOf(metrics, 'rate_limit_requests_total')).length, 10_001)
  t.equal((await samplesIn(metrics)).get('rate_limit_requests_total{route="(other)",tier="anonymous",outcome="allowed"}'), 10)
})

t.test('limits past a thousand are one, wherever they are counted', async (t) => {
  const metrics = await metricsIn()
  for (let i = 0; i < 1000; i++) metrics.announceLimit(`limit-${i}`)
  const names = ['limit-5', 'late', 'later']
  const meter = metrics.route('/')
  for (const name of names) {
    meter.countRefusal(name, 'anonymous', 'shadow')
    meter.countLimits([standing({ name }, { remaining: 1 })], 'anonymous')
  }
  t.strictSame(await seriesOf(metrics, 'rate_limit_rejections_total'), {
    '{route="/",limit="limit-5",tier="anonymous",mode="shadow"}': 1,
    '{route="/",limit="(other)",tier="anonymous",mode="shadow"}': 2
  })
  const near = await seriesOf(metrics, 'rate_limit_near_limit_total')
  t.equal(Object.keys(near).length, 1001)
  t.equal(near['{limit="limit-5"}'], 1)
  t.equal(near['{limit="(other)"}'], 2)
})

t.test('names that a prototype has are names like others', async (t) => {
  const metrics = await metricsIn()
  for (const name of ['__proto__', 'constructor', 'toString']) {
    metrics.route(name).count('allowed', name)
    metrics.route(name).countRefusal(name, name, 'enforce')
  }
  t.equal(Object.keys(await seriesOf(metrics, 'rate_limit_requests_total')).length, 3)
  t.equal(Object.keys(await seriesOf(metrics, 'rate_limit_rejections_total')).length, 3)
})
