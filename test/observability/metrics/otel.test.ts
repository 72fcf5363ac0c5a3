// The metrics through a Meter of OpenTelemetry, read by its own SDK.
import { createNoopMeter } from '@opentelemetry/api'
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import t, { type Test } from 'tap'
import { createMetrics } from '../../../lib/observability/metrics/metrics.js'
import { limitedApp, statuses } from '../../fixtures/app.js'
import { createSources } from './samples.js'

function startMeter (t: Test) {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const provider = new MeterProvider({ readers: [reader] })
  t.teardown(() => provider.shutdown())
  const collect = async () => {
    exporter.reset()
    await reader.forceFlush()
    const metrics = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics).flatMap(({ metrics }) => metrics)
    return new Map(metrics.map(({ descriptor, dataPoints }) => [descriptor.name, { descriptor, dataPoints }]))
  }
  return { meter: provider.getMeter('app'), collect }
}

t.test('an application without Prometheus has the same metrics in its meter, and no route', async (t) => {
  const { meter, collect } = startMeter(t)
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 hour', metrics: { otel: meter } })
  t.strictSame(await statuses(app, 3), [200, 200, 429])
  t.equal(app.hasRoute({ method: 'GET', url: '/metrics' }), false)

  const metrics = await collect()
  t.strictSame(metrics.get('rate_limit.requests')?.dataPoints.map(({ attributes, value }) => [attributes, value]), [
    [{ 'http.route': '/', 'rate_limit.tier': 'anonymous', 'rate_limit.outcome': 'allowed' }, 2],
    [{ 'http.route': '/', 'rate_limit.tier': 'anonymous', 'rate_limit.outcome': 'rejected' }, 1]
  ])
  t.strictSame(metrics.get('rate_limit.memory_keys')?.dataPoints.map(({ value }) => value), [1])
  t.match(await app.rateLimit.metrics?.metrics(), 'rate_limit_requests_total{route="/",tier="anonymous",outcome="rejected"} 1')
})

t.test('counters, gauges and histograms have the names, units and attributes of OpenTelemetry', async (t) => {
  const { meter, collect } = startMeter(t)
  const metrics = await createMetrics({ app: {}, meter })
  metrics.watch(createSources('open', 0))
  metrics.observeDelay(0.2)
  metrics.getStore('redis').observe('take', 0.003)
  metrics.getStore('redis').countCode('ECONNREFUSED')
  metrics.countReload('failure')
  const collected = await collect()

  const delay = collected.get('rate_limit.delay')
  t.match(delay, { descriptor: { unit: 's' }, dataPoints: [{ attributes: {}, value: { count: 1, sum: 0.2 } }] })
  t.match(collected.get('rate_limit.store_duration'), {
    dataPoints: [{ attributes: { 'rate_limit.store': 'redis', 'rate_limit.operation': 'take' }, value: { count: 1, sum: 0.003, buckets: { boundaries: [0.0001] } } }]
  })
  t.match(collected.get('rate_limit.store_error_codes')?.dataPoints, [{ attributes: { 'rate_limit.store': 'redis', 'error.type': 'ECONNREFUSED' }, value: 1 }])
  t.match(collected.get('rate_limit.breaker_state')?.dataPoints.filter(({ value }) => value === 1), [{ attributes: { 'rate_limit.state': 'open' } }])
  t.match(collected.get('rate_limit.config_reloads')?.dataPoints, [{ value: 0 }, { attributes: { 'rate_limit.result': 'failure' }, value: 1 }])
  t.ok([...collected.keys()].every((name) => /^rate_limit\.[a-z_]+$/.test(name) && !/_(?:total|seconds)$/.test(name)), [...collected.keys()].join(' '))
})

t.test('registrations of one application count into one meter, once', async (t) => {
  const { meter, collect } = startMeter(t)
  const app = {}
  const [one, two] = await Promise.all([createMetrics({ app, meter }), createMetrics({ app, meter })])
  one.getRoute('/').count('allowed', 'anonymous')
  two.getRoute('/').count('allowed', 'anonymous')
  two.observeDelay(1)
  const collected = await collect()
  t.match(collected.get('rate_limit.requests')?.dataPoints, [{ value: 2 }])
  t.match(collected.get('rate_limit.delay')?.dataPoints, [{ value: { count: 1 } }])
})

t.test('with a path, the route and the meter have the metrics', async (t) => {
  const { meter, collect } = startMeter(t)
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 hour', metrics: { otel: meter, path: '/metrics' } })
  await statuses(app, 1)
  t.match((await app.inject('/metrics')).body, 'rate_limit_requests_total{route="/",tier="anonymous",outcome="allowed"} 1')
  t.match((await collect()).get('rate_limit.requests')?.dataPoints, [{ value: 1 }])
})

t.test('a meter that does nothing is a meter', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 hour', metrics: { otel: createNoopMeter() } })
  t.strictSame(await statuses(app, 2), [200, 429])
})
