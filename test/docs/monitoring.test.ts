// What docs/monitoring.md says.
import { AsyncLocalStorage } from 'node:async_hooks'
import { spawnSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import Fastify, { type FastifyReply, type FastifyRequest, type FastifyServerOptions } from 'fastify'
import { Registry, collectDefaultMetrics } from 'prom-client'
import t, { type Test } from 'tap'
import type { DecisionMessage } from '../../lib/index.js'
import { limitedApp, statuses } from '../fixtures/app.js'
import { createStoreApp, eachStore } from '../fixtures/each-store.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { prometheusSkipReason } from '../fixtures/prometheus.js'
import { createTestMetrics, readSamples, readSeries, createSources, createStanding } from '../observability/metrics/samples.js'
import { createSnippetApp, readPage, root, run, parseSnippets } from './snippets.js'

const page = readPage('docs/monitoring.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

function appUnder (t: Test, heading: string, given = {}) {
  RUN.add(heading)
  return createSnippetApp(t, page, heading, given)
}

/** The only snippet under a heading. */
function codeUnder (heading: string): string {
  RUN.add(heading)
  const [snippet] = parseSnippets(page).filter((found) => found.heading === heading)
  return snippet.code
}

/** The rows of the tables of so many columns that begin with something in backquotes. */
function rowsOf (columns: number): string[][] {
  return page.split('\n').filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()))
    .filter((cells) => cells.length === columns)
}

function namesIn (cell: string): string[] {
  return Array.from(cell.matchAll(/`([^`]+)`/g), ([, name]) => name)
}

t.test('the table has every metric, with its kind and labels', async (t) => {
  const metrics = await createTestMetrics()
  metrics.watch({
    ...createSources('open', 1, { leasedChecks: 0, storeChecks: 0, lapsedUnits: 0, renewals: 0 }),
    slots: [{ scope: 'default', inFlight: 1, adaptiveMax: 20 }]
  })
  metrics.getStore('redis').observe('take', 1)
  metrics.getStore('redis').countCode('DEADLINE')
  metrics.getRoute('/').count('allowed', 'anonymous')
  metrics.getRoute('/').countLimits([createStanding({ name: 'burst' }, { granted: false }), createStanding({ name: 'daily' }, { remaining: 0, usage: { units: 1, endUs: 1 } })], 'anonymous')
  const series = [...(await readSamples(metrics)).keys()]
  const kinds = Array.from((await metrics.registry.metrics()).matchAll(/^# TYPE (\w+) (\w+)$/gm), ([, name, kind]) => {
    const [first = ''] = series.filter((labelled) => new RegExp(`^${name}(_count)?({|$)`).test(labelled))
    return [name, kind, Array.from(first.matchAll(/(\w+)=/g), ([, label]) => label).join()]
  })
  t.strictSame(rowsOf(4).map(([name, kind, labels]) => [...namesIn(name), kind, namesIn(labels).join()]), kinds)
})

t.test('what is told of values is so', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 hour' })
  app.get('/health', async () => 'ok')
  app.get('/free', { config: { rateLimit: false } }, async () => 'free')
  for (const url of ['/health', '/free', '/metrics']) await app.inject(url)
  const { metrics } = app.rateLimit
  if (metrics === null) throw new Error('nothing is counted')
  t.strictSame(await readSeries({ registry: metrics }, 'rate_limit_requests_total'), {}, 'what is held against nothing is not counted')
  await statuses(app, 1, '/no/such')
  t.match(await readSeries({ registry: metrics }, 'rate_limit_requests_total'), { '{route="(unknown)",tier="anonymous",outcome="allowed"}': 1 })
  const series = [...(await readSamples({ registry: metrics })).keys()]
  t.notOk(series.some((labelled) => /store_duration|breaker|lease/.test(labelled)), 'memory has none of them')
})

t.test('Prometheus understands every expression, and each metric in them is one', { skip: prometheusSkipReason }, async (t) => {
  const expressions = Array.from(page.matchAll(/^```promql\n([^]*?)^```$/gm), ([, expression]) => expression.trim())
  t.ok(expressions.length >= 10)
  const known = new Set(rowsOf(4).flatMap(([name]) => namesIn(name)))
  for (const [name] of expressions.join('\n').matchAll(/rate_limit_\w+/g)) t.ok(known.has(name.replace(/_(bucket|sum|count)$/, '')), name)
  const rules = { groups: [{ name: 'page', rules: expressions.map((expr, index) => ({ record: `page:${index}`, expr })) }] }
  const file = join(t.testdir({ 'rules.yml': JSON.stringify(rules) }), 'rules.yml')
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
})

t.test('Prometheus takes what is to be put into its configuration', { skip: prometheusSkipReason }, async (t) => {
  const [, config] = /^```yaml\n([^]*?)^```$/m.exec(page) ?? []
  const alerts = readFileSync(new URL('examples/monitoring/alerts.yml', root), 'utf8')
  const file = join(t.testdir({ 'prometheus.yml': config, 'alerts.yml': alerts }), 'prometheus.yml')
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', file], { encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
})

t.test('a registry of the application\'s is served with these metrics', async (t) => {
  const app = await appUnder(t, 'The registry', { Registry, collectDefaultMetrics })
  await statuses(app, 1)
  const { body } = await app.inject('/metrics')
  t.match(body, 'process_cpu_seconds_total')
  t.match(body, 'rate_limit_requests_total{route="(unknown)",tier="anonymous",outcome="allowed"} 1')
})

t.test('a meter of OpenTelemetry has the metrics, and there is no route', async (t) => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  let reader: PeriodicExportingMetricReader | undefined
  class OneReader extends PeriodicExportingMetricReader {
    constructor (options: ConstructorParameters<typeof PeriodicExportingMetricReader>[0]) {
      super(options)
      reader = this
    }
  }
  const app = await appUnder(t, 'OpenTelemetry', { exporter, MeterProvider, PeriodicExportingMetricReader: OneReader })
  t.teardown(() => reader?.shutdown())
  await statuses(app, 1)
  await reader?.forceFlush()
  const names = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics).flatMap(({ metrics }) => metrics).map(({ descriptor }) => descriptor.name)
  t.ok(names.includes('rate_limit.requests'))
  t.equal(app.hasRoute({ method: 'GET', url: '/metrics' }), false)
})

t.test('a route of the application\'s serves the metrics to whom it lets in, and the plugin\'s to nobody', async (t) => {
  const isOperator = async ({ headers }: FastifyRequest, reply: FastifyReply) => headers.operator === 'yes' ? undefined : reply.code(401).send()
  const app = await appUnder(t, 'Who may read them', { isOperator })
  t.equal((await app.inject('/metrics')).statusCode, 404)
  t.equal((await app.inject('/internal/metrics')).statusCode, 401)
  const read = await app.inject({ url: '/internal/metrics', headers: { operator: 'yes' } })
  t.match(read.headers['content-type'], /^text\/plain; version=/)
  t.match(read.body, 'rate_limit_requests_total')
})

t.test('the table has the alerts that there are', async (t) => {
  const rules = readFileSync('examples/monitoring/alerts.yml', 'utf8')
  const alerts = Array.from(rules.matchAll(/- alert: (\w+)/g), ([, name]) => name)
  t.strictSame(rowsOf(3).flatMap(([name]) => namesIn(name)).filter((name) => name.startsWith('RateLimit')), alerts)
})

t.test('lines are those of the page', async (t) => {
  process.env.LOG_SECRET = 'a secret of the test'
  t.teardown(() => { delete process.env.LOG_SECRET })
  const lines: Array<Record<string, unknown>> = []
  const LoggingFastify = (options: FastifyServerOptions) => {
    t.equal(options.logger, true)
    return Fastify({ ...options, logger: { level: 'warn', stream: { write: (line: string) => { lines.push(JSON.parse(line)) } } } })
  }
  const clock = new ManualClock()
  const app = await run(codeUnder('Logs'), undefined, { Fastify: LoggingFastify }, clock)
  app.get('/items/:id', async () => 'item')
  await statuses(app, 100 + 1 + 41, '/items/7')
  clock.advance(30_000_000)
  await app.close()
  const examples = [...page.matchAll(/^```json\n([^]*?)^```$/gm)].flatMap(([, text]) => text.trim().split('\n')).map((line): Record<string, unknown> => JSON.parse(line))
  t.equal(lines.length, 2)
  for (const [index, { time, pid, hostname, ...line }] of lines.entries()) {
    const own = ['client', 'reqId'].filter((field) => field in line)
    t.match(line.client, /^ip#[0-9a-f]{16}$/)
    t.strictSame({ ...line, ...Object.fromEntries(own.map((field) => [field, examples[index][field]])) }, examples[index])
  }
  const fields = new Set(rowsOf(2).flatMap(([names]) => namesIn(names)))
  for (const line of examples) for (const field of Object.keys(line)) t.ok(fields.has(field) || ['level', 'msg', 'reqId'].includes(field), field)
})

t.test('a subscriber finds the span of the request, on memory and on Redis', async (t) => {
  interface Span { attributes: Record<string, unknown>, events: unknown[], setAttributes (attributes: Record<string, unknown>): void, addEvent (name: string, attributes: unknown): void }
  const spans = new AsyncLocalStorage<Span>()
  const subscribers: Array<[string, (message: unknown) => void]> = []
  const given = {
    spanOf: () => spans.getStore(),
    subscribe (channel: string, subscriber: (message: unknown) => void) {
      subscribers.push([channel, subscriber])
      subscribe(channel, subscriber)
    }
  }
  await run(codeUnder('Traces and other listeners'), undefined, given)
  t.teardown(() => { for (const [channel, subscriber] of subscribers) unsubscribe(channel, subscriber) })
  t.equal(subscribers.length, 1)

  for (const store of await eachStore()) {
    const { app } = await createStoreApp(t, store, {
      limits: [{ name: 'hourly', max: 1, timeWindow: '1 hour' }, { name: 'trial', max: 2, timeWindow: '1 day', mode: 'shadow' }]
    })
    const spanOfRequest = async (): Promise<Span> => {
      const span: Span = {
        attributes: {},
        events: [],
        setAttributes (attributes) { this.attributes = attributes },
        addEvent (name, attributes) { this.events.push([name, attributes]) }
      }
      await spans.run(span, async () => { await app.inject('/') })
      return span
    }
    await app.ready()
    // At once, so that on Redis they share a call.
    const [first, , third] = await Promise.all([spanOfRequest(), spanOfRequest(), spanOfRequest()])
    t.strictSame(first.attributes, {
      'rate_limit.outcome': 'allowed', 'rate_limit.mode': 'enforce', 'rate_limit.scope': 'default', 'rate_limit.limit': 'hourly', 'rate_limit.remaining': 0, 'rate_limit.tier': 'anonymous'
    })
    t.strictSame(first.events, [])
    t.match(third.attributes, { 'rate_limit.outcome': 'rejected' })
    t.strictSame(third.events, [['rate_limit.exceeded', { limit: 'hourly', mode: 'enforce' }], ['rate_limit.exceeded', { limit: 'trial', mode: 'shadow' }]])
  }
})

t.test('messages have the fields of the page', async (t) => {
  const [, fields] = /`fastify-sluice:decision` \| `{ ([^}]+) }`/.exec(page) ?? []
  const heard: DecisionMessage[] = []
  const hear = (message: unknown) => { heard.push(message as DecisionMessage) }
  subscribe('fastify-sluice:decision', hear)
  t.teardown(() => { unsubscribe('fastify-sluice:decision', hear) })
  const { app } = await limitedApp(t, {})
  await app.inject('/')
  t.strictSame(Object.keys(heard[0]), fields.split(', '))
})

t.test('health tells what the page names', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const [, names] = /const { (.+) } = /.exec(codeUnder('Health')) ?? []
  await run('await app.register(rateLimitPlugin, {})', app)
  await run(codeUnder('Health'), app)
  const response = await app.inject('/health/rate-limit')
  t.equal(response.statusCode, 200)
  t.strictSame(Object.keys(response.json()), names.split(', '))
  t.equal((await app.inject({ url: '/health/rate-limit', remoteAddress: '203.0.113.9' })).statusCode, 404)
})

t.test('a limit on trial tells what it would refuse, and is charged by what is not blocked', async (t) => {
  const app = await appUnder(t, 'Shadow mode')
  t.strictSame(await statuses(app, 9, '/search'), [...Array(8).fill(200), 429])
  const { metrics } = app.rateLimit
  if (metrics === null) throw new Error('nothing is counted')
  t.strictSame(await readSeries({ registry: metrics }, 'rate_limit_rejections_total'), {
    '{route="/search",limit="search",tier="anonymous",mode="enforce"}': 1,
    '{route="/search",limit="search-tighter",tier="anonymous",mode="shadow"}': 5
  })

  const { app: strict } = await limitedApp(t, {
    limits: [{ name: 'real', max: 1, timeWindow: '1 hour' }, { name: 'trial', max: 4, timeWindow: '1 hour', mode: 'shadow' }],
    penalty: { strikes: 2, cooldown: '1 hour' }
  })
  await statuses(strict, 10)
  t.match(await strict.rateLimit.peek('ip:127.0.0.1'), [{ name: 'real', remaining: 0 }, { name: 'trial', remaining: 1 }], 'what is blocked takes nothing from it')
})

t.test('a share of the clients is refused, the others are counted, and a larger share keeps them', async (t) => {
  const app = await appUnder(t, 'Enforce for a share of the clients')
  const refused = async (request: string) => {
    const clients: number[] = []
    for (let client = 0; client < 100; client++) {
      const codes = await statuses(app, 6, { url: request, remoteAddress: `203.0.113.${client}` })
      if (codes.at(-1) === 429) clients.push(client)
    }
    return clients
  }
  const some = await refused('/export')
  t.ok(some.length > 0 && some.length < 30, `${some.length} of 100`)
  const registry = app.rateLimit.metrics
  if (registry === null) throw new Error('nothing is counted')
  t.strictSame(await readSeries({ registry }, 'rate_limit_rejections_total'), {
    '{route="/export",limit="default",tier="anonymous",mode="enforce"}': some.length,
    '{route="/export",limit="default",tier="anonymous",mode="shadow"}': 100 - some.length
  })

  const more = Fastify()
  t.teardown(() => more.close())
  await run('await app.register(rateLimitPlugin, { max: 100, timeWindow: "1 minute" })', more)
  await run(codeUnder('Enforce for a share of the clients').replace('percent: 10', 'percent: 25'), more)
  for (const client of some) t.equal((await statuses(more, 6, { url: '/export', remoteAddress: `203.0.113.${client}` })).at(-1), 429)
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
