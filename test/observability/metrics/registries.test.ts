// Registries that the application brings along.
import { createRequire } from 'node:module'
import { AggregatorRegistry, Counter, Registry, type OpenMetricsContentType } from 'prom-client'
import t from 'tap'
import type { MetricsRegistry, RegisteredMetric } from '../../../lib/config/schema/metrics-schema.js'
import { createTestMetrics, readSamples, readSeries, createSources } from './samples.js'

const name = 'rate_limit_requests_total'
const series = '{route="/",tier="anonymous",outcome="allowed"}'

/** prom-client once more, as an application has it whose version is another. */
function anotherCopy (): { readonly Registry: new () => Registry } {
  const require = createRequire(import.meta.url)
  for (const path of Object.keys(require.cache)) {
    if (path.includes('/prom-client/')) delete require.cache[path]
  }
  return require('prom-client')
}

t.test('a registry keeps the metrics that the application has in it', async (t) => {
  const registry = new Registry()
  const own = new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry] })
  own.inc(3)
  const metrics = await createTestMetrics(registry)
  metrics.getRoute('/').count('allowed', 'anonymous')
  t.equal(metrics.registry, registry)
  t.strictSame(await readSeries(metrics, 'orders_total'), { '': 3 })
  t.strictSame(await readSeries(metrics, name), { [series]: 1 })
})

t.test('a registry of another copy of prom-client will do', async (t) => {
  const other = anotherCopy()
  t.not(other.Registry, Registry)
  const registry = new other.Registry()
  const metrics = await createTestMetrics(registry)
  metrics.watch(createSources('closed', 4))
  for (let i = 0; i < 2; i++) {
    metrics.getRoute('/').count('allowed', 'anonymous')
    metrics.observeDelay(0.5)
    await registry.metrics()
  }
  const samples = await readSamples(metrics)
  t.equal(samples.get(name + series), 2)
  t.equal(samples.get('rate_limit_delay_seconds_bucket{le="0.5"}'), 2)
  t.equal(samples.get('rate_limit_breaker_state{state="closed"}'), 1)
  t.equal(samples.get('rate_limit_memory_keys'), 4)
})

t.test('all that is asked of a registry is to keep metrics by name', async (t) => {
  const kept: RegisteredMetric[] = []
  const registry: MetricsRegistry = {
    registerMetric: (metric) => { kept.push(metric) },
    getSingleMetric: () => undefined,
    metrics: async () => '',
    contentType: 'text/plain'
  }
  const metrics = await createTestMetrics(registry)
  metrics.getRoute('/').count('allowed', 'anonymous')
  const read = await Promise.all(kept.map((metric) => metric.get())) as Array<{ name: string, type: string, values: Array<{ labels: object, value: number }> }>
  t.strictSame(read.map(({ name, type }) => `${name} ${type}`).sort(), [
    'rate_limit_breaker_state gauge',
    'rate_limit_concurrency_limit gauge',
    'rate_limit_config_reloads_total counter',
    'rate_limit_delay_seconds histogram',
    'rate_limit_fallback_total counter',
    'rate_limit_in_flight gauge',
    'rate_limit_lease_checks_total counter',
    'rate_limit_lease_lapsed_units_total counter',
    'rate_limit_lease_renewals_total counter',
    'rate_limit_memory_keys gauge',
    'rate_limit_memory_overflow_total counter',
    'rate_limit_near_limit_total counter',
    'rate_limit_quota_used_ratio histogram',
    'rate_limit_rejections_total counter',
    'rate_limit_requests_total counter',
    'rate_limit_store_duration_seconds histogram',
    'rate_limit_store_error_codes_total counter',
    'rate_limit_store_errors_total counter'
  ])
  t.strictSame(read.find((metric) => metric.name === name)?.values, [{ labels: { route: '/', tier: 'anonymous', outcome: 'allowed' }, value: 1 }])
})

t.test('labels of the registry\'s own are added to every series, however often it is read', async (t) => {
  const registry = new Registry()
  registry.setDefaultLabels({ service: 'shop' })
  const metrics = await createTestMetrics(registry)
  metrics.observeDelay(1)
  for (let i = 1; i <= 3; i++) {
    metrics.getRoute('/').count('allowed', 'anonymous')
    await registry.getMetricsAsJSON()
    const samples = await readSamples(metrics)
    t.equal(samples.get(`${name}{route="/",tier="anonymous",outcome="allowed",service="shop"}`), i)
    t.equal(samples.get('rate_limit_delay_seconds_bucket{le="1",service="shop"}'), 1)
  }
})

t.test('what was reset begins at 0, also what nobody had read', async (t) => {
  const registry = new Registry()
  const metrics = await createTestMetrics(registry)
  const meter = metrics.getRoute('/')
  meter.count('allowed', 'anonymous')
  metrics.observeDelay(1)
  registry.resetMetrics()
  t.strictSame(await readSeries(metrics, name), {})
  t.strictSame(await readSeries(metrics, 'rate_limit_delay_seconds_sum'), { '': 0 })
  meter.count('allowed', 'anonymous')
  t.strictSame(await readSeries(metrics, name), { [series]: 1 })
})

t.test('a registry that was cleared has the metrics again with the next registration', async (t) => {
  const registry = new Registry()
  const first = await createTestMetrics(registry)
  first.getRoute('/').count('allowed', 'anonymous')
  registry.clear()
  t.equal((await readSamples(first)).size, 0)
  await createTestMetrics(registry)
  t.strictSame(await readSeries(first, name), { [series]: 1 })
})

t.test('another\'s metric by one of the names is an error, and nothing is added', async (t) => {
  const registry = new Registry()
  const own = new Counter({ name: 'rate_limit_fallback_total', help: 'Another.', registers: [registry] })
  await t.rejects(createTestMetrics(registry), {
    code: 'FST_SLUICE_CONTRADICTION', message: /^rateLimit\.metrics\.registry: already has a metric "rate_limit_fallback_total" that this plugin did not register/
  })
  t.strictSame(registry.getMetricsAsArray(), [own])
})

t.test('an OpenMetrics registry gets its own form', async (t) => {
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  const metrics = await createTestMetrics(registry)
  metrics.getRoute('/').count('allowed', 'anonymous')
  for (let i = 0; i < 2; i++) {
    const text = await registry.metrics()
    t.match(text, /^# TYPE rate_limit_requests counter\nrate_limit_requests_total\{route="\/",tier="anonymous",outcome="allowed"\} 1$/m)
    t.match(text, /^# TYPE rate_limit_delay_seconds histogram$/m)
    t.match(text, /# EOF\n$/)
  }
})

t.test('the workers of a cluster are added up', async (t) => {
  const workers = [new Registry(), new Registry()]
  for (const registry of workers) {
    const metrics = await createTestMetrics(registry)
    metrics.watch(createSources('open', 10))
    metrics.getRoute('/').count('allowed', 'anonymous')
    metrics.observeDelay(0.3)
  }
  const registry = AggregatorRegistry.aggregate(await Promise.all(workers.map((worker) => worker.getMetricsAsJSON())))
  const samples = await readSamples({ registry })
  t.equal(samples.get(name + series), 2)
  t.equal(samples.get('rate_limit_delay_seconds_bucket{le="0.25"}'), 0)
  t.equal(samples.get('rate_limit_delay_seconds_bucket{le="0.5"}'), 2)
  t.equal(samples.get('rate_limit_delay_seconds_sum'), 0.6)
  t.equal(samples.get('rate_limit_breaker_state{state="open"}'), 2)
  t.equal(samples.get('rate_limit_memory_keys'), 20)
})
