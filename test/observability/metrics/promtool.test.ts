// What Prometheus's own tool says of names, help texts and form.
import { spawnSync } from 'node:child_process'
import t from 'tap'
import { createTestMetrics, createSources, createStanding } from './samples.js'

const isInstalled = spawnSync('promtool', ['--version']).status === 0
const skip = isInstalled ? false : 'there is no promtool on the PATH; Debian has it in the package prometheus'

function promtool (text: string) {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
  return { status, said: stdout + stderr }
}

t.test('promtool finds nothing amiss', { skip }, async (t) => {
  const metrics = await createTestMetrics()
  t.strictSame(promtool(await metrics.registry.metrics()), { status: 0, said: '' }, 'before anything was counted')

  metrics.watch(createSources('half-open', 100))
  metrics.countFallback('local', 'redis', 'breaker')
  metrics.countReload('failure')
  metrics.observeDelay(0.25)
  metrics.getStore('redis').observe('take', 0.0004)
  metrics.getStore('redis').countError('connection')
  for (const route of ['/', null, '/users/:id', '/quote"d/\\d+/new\nline/é']) {
    for (const tier of ['anonymous', 'premium']) {
      metrics.getRoute(route).count('rejected', tier)
      metrics.getRoute(route).countLimits([createStanding({ name: 'burst' }, { granted: false }), createStanding({ name: 'daily' }, { remaining: 0 })], tier)
    }
  }
  t.strictSame(promtool(await metrics.registry.metrics()), { status: 0, said: '' }, 'with a series of every kind')
})

t.test('promtool would have said so', { skip }, async (t) => {
  t.not(promtool('# HELP a A.\n# TYPE a counter\na 1\n').status, 0)
})
