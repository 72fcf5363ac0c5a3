// examples/monitoring, read by a real Prometheus while it is under load.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { createTestMetrics } from '../observability/metrics/samples.js'
import { startPrometheus, prometheusSkipReason, type Series } from '../fixtures/prometheus.js'
import { until } from '../fixtures/until.js'

const FOLDER = 'examples/monitoring'
const PATIENCE_MS = 45_000

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description: string
  readonly datasource: { readonly uid: string }
  readonly gridPos: { readonly x: number, readonly y: number, readonly w: number, readonly h: number }
  readonly targets: ReadonlyArray<{ readonly refId: string, readonly expr: string, readonly instant: boolean, readonly legendFormat: string, readonly datasource: { readonly uid: string } }>
  readonly fieldConfig: { readonly defaults: { readonly unit: string } }
}

interface Dashboard {
  readonly uid: string
  readonly schemaVersion: number
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: ReadonlyArray<{ readonly name: string, readonly type: string, readonly definition?: string }> }
  readonly annotations: { readonly list: ReadonlyArray<{ readonly expr: string }> }
}

const dashboard: Dashboard = JSON.parse(readFileSync(`${FOLDER}/grafana/dashboards/rate-limits.json`, 'utf8'))
const alerts = readFileSync(`${FOLDER}/alerts.yml`, 'utf8')

/** An expression as Grafana sends it, with all jobs and instances chosen. */
function interpolated (expression: string): string {
  const values: Readonly<Record<string, string>> = { __rate_interval: '10s', __interval: '1s', __range: '1m', job: '.*', instance: '.*' }
  return expression.replace(/\$(\w+)/g, (variable, name) => values[name] ?? variable)
}

/** The service of the example under its load. `stop` ends it, and answers how it ended. */
async function startExample (t: Test): Promise<{ readonly host: string, stop (): Promise<unknown> }> {
  const example = spawn(process.execPath, [`${FOLDER}/index.js`], {
    env: { ...process.env, REDIS_URL: '', PORT: '0', NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'ignore']
  })
  const exit = once(example, 'exit')
  const stop = async (): Promise<unknown> => {
    example.kill('SIGTERM')
    return await exit
  }
  t.teardown(stop)
  let text = ''
  // Read to its end: who logs into a pipe that is closed would fail.
  example.stdout.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
  const host = await until('the example says where it listens', PATIENCE_MS, () => /http:\/\/(\S+)\/metrics/.exec(text)?.[1] ?? null)
  return { host, stop }
}

function hasData (series: readonly Series[]): boolean {
  return series.some(({ values }) => values.some(([, value]) => Number.isFinite(Number(value))))
}

t.test('every expression of the dashboard has data in a Prometheus that read the example, and every rule is evaluated', { skip: prometheusSkipReason, timeout: 3 * PATIENCE_MS }, async (t) => {
  const { host, stop } = await startExample(t)
  // What is in the repository, but for where the service is, and quicker.
  const config = readFileSync(`${FOLDER}/prometheus.yml`, 'utf8')
  const prometheus = await startPrometheus(t, t.testdir({
    'prometheus.yml': config.replaceAll('interval: 5s', 'interval: 1s').replace('service:8080', host),
    'alerts.yml': alerts
  }))
  const targets = dashboard.panels.flatMap(({ title, targets }) => targets.map((target) => ({ title, ...target })))
  t.ok(targets.length > 20)
  // The store of the example does not fail, and this series begins with the first failure.
  let missing = targets.filter(({ expr }) => !expr.includes('rate_limit_store_error_codes_total'))
  await until('every expression has data', PATIENCE_MS, async () => {
    const answers = await Promise.all(missing.map(({ expr, instant }) => prometheus[instant ? 'instant' : 'range'](interpolated(expr))))
    missing = missing.filter((_, index) => !hasData(answers[index]))
    return missing.length === 0
  }).catch((error) => { t.comment(error.cause ?? error.message) })
  t.strictSame(missing.map(({ title, expr }) => `${title}: ${expr}`), [])

  // The ones that may well be without data.
  for (const { expr } of dashboard.annotations.list) await t.resolves(prometheus.range(interpolated(expr)))
  const rules = await until('every rule was evaluated', PATIENCE_MS, async () => {
    const all = await prometheus.alertRules()
    return all.every(({ health }) => health !== 'unknown') && all
  })
  t.strictSame(rules.filter(({ health }) => health !== 'ok'), [])
  t.equal(rules.length, 5)

  t.strictSame(await stop(), [0, null], 'the example ends when it is told to')
})

t.test('the rules are what promtool expects, and fire as their tests say', { skip: prometheusSkipReason }, async (t) => {
  for (const args of [['check', 'config', 'prometheus.yml'], ['check', 'rules', 'alerts.yml'], ['test', 'rules', 'alerts.test.yml']]) {
    const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: FOLDER, encoding: 'utf8' })
    t.equal(status, 0, stdout + stderr)
  }
})

t.test('what the dashboard and the rules ask for is counted, and all that is counted is on the dashboard', async (t) => {
  const metrics = await createTestMetrics()
  const counted = Array.from((await metrics.registry.metrics()).matchAll(/^# TYPE (\w+)/gm), ([, name]) => name)
  const namesIn = (text: string) => new Set(Array.from(text.matchAll(/rate_limit_\w+/g), ([name]) => name.replace(/_(bucket|sum|count)$/, '')))
  const shown = namesIn(dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join('\n'))
  t.strictSame([...shown].sort(), counted.sort())
  for (const name of namesIn(alerts)) t.ok(counted.includes(name), name)
  for (const { definition = '' } of dashboard.templating.list) for (const name of namesIn(definition)) t.ok(counted.includes(name), name)
})

t.test('the dashboard has an address for good, and its panels a unit, legends, a description and a place of their own', async (t) => {
  t.equal(dashboard.uid, 'fastify-sluice')
  t.equal(dashboard.schemaVersion, 42)
  const { panels } = dashboard
  for (const title of ['Requests by outcome', 'Top limited routes', 'Top limited tiers', 'Store latency', 'Breaker', 'Shadow against enforced']) {
    t.ok(panels.some((panel) => panel.title === title), title)
  }
  t.equal(panels.find(({ title }) => title === 'Store latency')?.type, 'heatmap')
  t.ok(panels.some(({ title, type }) => title === 'Breaker' && type === 'state-timeline'))
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
  const places = panels.flatMap(({ gridPos: { x, y, w, h } }) => Array.from({ length: w * h }, (_, i) => `${x + i % w},${y + Math.floor(i / w)}`))
  t.equal(new Set(places).size, places.length, 'none lies on another')
  t.ok(panels.every(({ gridPos: { x, w } }) => x + w <= 24))
  const variables = new Set(['__rate_interval', '__range', ...dashboard.templating.list.map(({ name }) => name)])
  for (const { title, description, datasource, targets, fieldConfig } of panels) {
    t.ok(description && fieldConfig.defaults.unit, title)
    t.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length)
    for (const target of targets) {
      t.ok(target.legendFormat)
      for (const { uid } of [datasource, target.datasource]) t.match(uid, /^\$\{datasource\}$/)
      for (const [, name] of target.expr.matchAll(/\$(\w+)/g)) t.ok(variables.has(name), `${title}: ${name}`)
    }
  }
})

t.test('the demo builds first', async (t) => {
  const script = execFileSync('npm', ['pkg', 'get', 'scripts.demo:monitoring'], { encoding: 'utf8' })
  t.equal(JSON.parse(script), 'npm run build && node examples/monitoring/index.js')
})
