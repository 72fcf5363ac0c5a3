import t from 'tap'
import type { RegisteredMetric } from '../../../lib/index.js'
import { createTestMetrics, readSamples, readSeries, createSources, createStanding } from './samples.js'

t.test('a request is counted by its route, tier and outcome', async (t) => {
  const metrics = await createTestMetrics()
  const login = metrics.getRoute('/login')
  login.count('allowed', 'anonymous')
  login.count('allowed', 'anonymous')
  login.count('rejected', 'premium')
  metrics.getRoute('/users/:id').count('delayed', 'anonymous')
  t.strictSame(await readSeries(metrics, 'rate_limit_requests_total'), {
    '{route="/login",tier="anonymous",outcome="allowed"}': 2,
    '{route="/login",tier="premium",outcome="rejected"}': 1,
    '{route="/users/:id",tier="anonymous",outcome="delayed"}': 1
  })
})

t.test('every outcome has a count of its own', async (t) => {
  const metrics = await createTestMetrics()
  for (const outcome of ['allowed', 'delayed', 'rejected', 'blocked', 'exempt', 'unavailable'] as const) {
    metrics.getRoute('/').count(outcome, 'anonymous')
    t.equal((await readSamples(metrics)).get(`rate_limit_requests_total{route="/",tier="anonymous",outcome="${outcome}"}`), 1)
  }
})

t.test('URLs that are no route\'s are one route, and no route can take its name', async (t) => {
  const metrics = await createTestMetrics()
  metrics.getRoute(null).count('rejected', 'anonymous')
  metrics.getRoute('*').count('allowed', 'anonymous')
  t.strictSame(await readSeries(metrics, 'rate_limit_requests_total'), {
    '{route="(unknown)",tier="anonymous",outcome="rejected"}': 1,
    '{route="*",tier="anonymous",outcome="allowed"}': 1
  })
})

t.test('each limit that refused is counted, those in shadow mode apart', async (t) => {
  const metrics = await createTestMetrics()
  metrics.getRoute('/').countLimits([
    createStanding({ name: 'burst' }, { granted: false, charged: 0, remaining: 0 }),
    createStanding({ name: 'hourly' }, { charged: 0, remaining: 5 }),
    createStanding({ name: 'daily', mode: 'shadow' }, { granted: false, charged: 0, remaining: 0 })
  ], 'premium')
  t.strictSame(await readSeries(metrics, 'rate_limit_rejections_total'), {
    '{route="/",limit="burst",tier="premium",mode="enforce"}': 1,
    '{route="/",limit="daily",tier="premium",mode="shadow"}': 1
  })
  t.strictSame(await readSeries(metrics, 'rate_limit_near_limit_total'), {}, 'a request that took nothing brought no limit nearer')
})

t.test('a limit is near once a request leaves less than 20 % of it', async (t) => {
  const cases: ReadonlyArray<readonly [remaining: number, near: number, why: string]> = [
    [99, 0, 'nearly all is left'],
    [20, 0, '20 % is not less than 20 %'],
    [19, 1, 'less is'],
    [0, 1, 'the last unit was granted']
  ]
  for (const [remaining, near, why] of cases) {
    const metrics = await createTestMetrics()
    metrics.initLimit('burst')
    metrics.getRoute('/').countLimits([createStanding({ name: 'burst' }, { remaining })], 'anonymous')
    t.strictSame(await readSeries(metrics, 'rate_limit_near_limit_total'), { '{limit="burst"}': near }, why)
  }
})

t.test('a duration falls into every bucket whose bound it does not pass', async (t) => {
  const metrics = await createTestMetrics()
  for (const seconds of [0.0001, 0.0002, 0.75, 5, 6]) metrics.getStore('redis').observe('take', seconds)
  const buckets = await readSeries(metrics, 'rate_limit_store_duration_seconds_bucket')
  const counted = ['0.0001', '0.00025', '0.5', '1', '5', '+Inf'].map((le) => buckets[`{store="redis",operation="take",le="${le}"}`])
  t.strictSame(counted, [1, 2, 2, 3, 4, 5])
  t.strictSame(await readSeries(metrics, 'rate_limit_store_duration_seconds_count'), { '{store="redis",operation="take"}': 5 })
  t.strictSame(await readSeries(metrics, 'rate_limit_store_duration_seconds_sum'), { '{store="redis",operation="take"}': 0.0001 + 0.0002 + 0.75 + 5 + 6 })
})

t.test('a duration that is none leaves the sum as it was', async (t) => {
  const metrics = await createTestMetrics()
  for (const seconds of [1, -0.5, NaN]) metrics.observeDelay(seconds)
  t.strictSame(await readSeries(metrics, 'rate_limit_delay_seconds_sum'), { '': 1 })
  t.strictSame(await readSeries(metrics, 'rate_limit_delay_seconds_count'), { '': 3 })
})

t.test('what an alert waits for is there as 0 before it first happens', async (t) => {
  const metrics = await createTestMetrics()
  metrics.getStore('redis')
  t.strictSame(await readSeries(metrics, 'rate_limit_config_reloads_total'), { '{result="success"}': 0, '{result="failure"}': 0 })
  t.strictSame(await readSeries(metrics, 'rate_limit_fallback_total'), { '{mode="local"}': 0, '{mode="open"}': 0, '{mode="closed"}': 0 })
  t.strictSame(await readSeries(metrics, 'rate_limit_store_errors_total'), {
    '{store="redis",reason="deadline"}': 0,
    '{store="redis",reason="breaker"}': 0,
    '{store="redis",reason="overload"}': 0,
    '{store="redis",reason="connection"}': 0,
    '{store="redis",reason="error"}': 0
  })
})

t.test('failures, fallbacks and reloads are counted by what they were', async (t) => {
  const metrics = await createTestMetrics()
  metrics.getStore('redis').countError('deadline')
  metrics.countFallback('local', 'redis', 'deadline')
  metrics.countFallback('local', 'redis', 'breaker')
  metrics.countReload('failure')
  const samples = await readSamples(metrics)
  t.equal(samples.get('rate_limit_store_errors_total{store="redis",reason="deadline"}'), 1, 'one call, however many requests waited for it')
  t.equal(samples.get('rate_limit_store_errors_total{store="redis",reason="breaker"}'), 1, 'there was no call')
  t.equal(samples.get('rate_limit_fallback_total{mode="local"}'), 2)
  t.equal(samples.get('rate_limit_config_reloads_total{result="failure"}'), 1)
  t.equal(samples.get('rate_limit_config_reloads_total{result="success"}'), 0)
})

t.test('the breaker is 1 in the state in which it is, and 0 in the others', async (t) => {
  const metrics = await createTestMetrics()
  const breaker = { state: 'closed' as 'closed' | 'open' }
  metrics.watch({ breaker, memory: { size: 0 }, leases: null, slots: [] })
  t.strictSame(await readSeries(metrics, 'rate_limit_breaker_state'), { '{state="closed"}': 1, '{state="open"}': 0, '{state="half-open"}': 0 })
  breaker.state = 'open'
  t.strictSame(await readSeries(metrics, 'rate_limit_breaker_state'), { '{state="closed"}': 0, '{state="open"}': 1, '{state="half-open"}': 0 })
})

const slots = (scope: string, inFlight: number, adaptiveMax: number | null = null) => ({ scope, inFlight, adaptiveMax })

t.test('requests in flight are told by policy, at most 1000 of them', async (t) => {
  const metrics = await createTestMetrics()
  metrics.watch({ ...createSources(null, 0), slots: [slots('default', 2), slots('rule:reports', 0, 20), slots('default', 1)] })
  t.strictSame(await readSeries(metrics, 'rate_limit_in_flight'), { '{policy="default"}': 3, '{policy="rule:reports"}': 0 })
  t.strictSame(await readSeries(metrics, 'rate_limit_concurrency_limit'), { '{policy="rule:reports"}': 20 }, 'only that of an adaptive limit')
  metrics.watch({ ...createSources(null, 0), slots: Array.from({ length: 1100 }, (_, i) => slots(`group:${i}`, 1)) })
  const series = await readSeries(metrics, 'rate_limit_in_flight')
  t.match(series, { '{policy="(other)"}': 102 })
  t.equal(Object.keys(series).length, 999)
})

t.test('what leases did is read when the metrics are, and stays when a registration closes', async (t) => {
  const checks = () => readSeries(metrics, 'rate_limit_lease_checks_total')
  const metrics = await createTestMetrics()
  t.strictSame(await checks(), {}, 'without leases there is no series')
  metrics.watch(createSources('closed', 0))
  t.strictSame(await checks(), {})
  const counters = { leasedChecks: 0, storeChecks: 0, lapsedUnits: 0, renewals: 0 }
  metrics.watch(createSources('closed', 0, counters))
  t.strictSame(await checks(), { '{source="leased"}': 0, '{source="store"}': 0 }, 'the series begin at 0')
  Object.assign(counters, { leasedChecks: 90, storeChecks: 10, lapsedUnits: 3, renewals: 7 })
  t.strictSame(await checks(), { '{source="leased"}': 90, '{source="store"}': 10 })
  t.strictSame(await readSeries(metrics, 'rate_limit_lease_lapsed_units_total'), { '': 3 })
  t.strictSame(await readSeries(metrics, 'rate_limit_lease_renewals_total'), { '': 7 })
  metrics.close()
  metrics.close()
  const next = { leasedChecks: 5, storeChecks: 0, lapsedUnits: 0, renewals: 0 }
  metrics.watch(createSources('closed', 0, next))
  t.strictSame(await checks(), { '{source="leased"}': 95, '{source="store"}': 10 }, 'counters never go down')
  const metric = metrics.registry.getSingleMetric('rate_limit_lease_checks_total') as RegisteredMetric
  metric.reset()
  t.strictSame(await checks(), { '{source="leased"}': 0, '{source="store"}': 0 })
  next.leasedChecks++
  t.strictSame(await checks(), { '{source="leased"}': 1, '{source="store"}': 0 })
})

t.test('a store without a breaker shows none', async (t) => {
  const metrics = await createTestMetrics()
  metrics.watch(createSources(null, 12))
  t.strictSame(await readSeries(metrics, 'rate_limit_breaker_state'), {})
  t.strictSame(await readSeries(metrics, 'rate_limit_memory_keys'), { '': 12 })
})

t.test('codes of failed calls are counted by their names, up to a number of them', async (t) => {
  const metrics = await createTestMetrics()
  const store = metrics.getStore('redis')
  store.countCode('NOAUTH')
  store.countCode('NOAUTH')
  t.strictSame(await readSeries(metrics, 'rate_limit_store_error_codes_total'), { '{store="redis",code="NOAUTH"}': 2 })
  for (let i = 0; i < 1000; i++) store.countCode(`CODE${i}`)
  const series = await readSeries(metrics, 'rate_limit_store_error_codes_total')
  t.equal(Object.keys(series).length, 51)
  t.equal(series['{store="redis",code="(other)"}'], 951)
})
