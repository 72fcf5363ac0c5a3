// The option `metrics`, by itself.
import { Type } from '@sinclair/typebox'
import { register, Registry } from 'prom-client'
import t from 'tap'
import { checkOptions } from '../../../lib/config/schema/check.js'
import { checkMetricsOptions, MetricsSchema } from '../../../lib/config/schema/metrics-schema.js'

const schema = Type.Object({ metrics: Type.Optional(MetricsSchema) }, { additionalProperties: false })

function check (options: unknown): void {
  checkOptions(schema, options, 'rateLimit')
  checkMetricsOptions(options, 'rateLimit')
}

const aForm = 'false, or an object: { path?, allow?, registry?, otel? }'
const aRegistry = 'a Registry of prom-client'
const aNetwork = 'an address or a CIDR such as "10.0.0.0/8", "loopback" or "private"'

const mistakes: ReadonlyArray<readonly [options: unknown, code: string, message: string]> = [
  [{ metrics: true }, 'BAD_OPTION', `.metrics: expected ${aForm}, got true`],
  [{ metrics: '/metrics' }, 'BAD_OPTION', `.metrics: expected ${aForm}, got "/metrics"`],
  [{ metrics: null }, 'BAD_OPTION', `.metrics: expected ${aForm}, got null`],
  [{ metrics: { path: 'metrics' } }, 'BAD_OPTION', '.metrics.path: expected a path that begins with "/", got "metrics"'],
  [{ metrics: { paths: '/metrics' } }, 'UNKNOWN_OPTION', '.metrics.paths: unknown option, did you mean "path"?'],
  [{ metrics: { allow: '10.0.0.0/8' } }, 'BAD_OPTION', '.metrics.allow: expected an array of addresses, CIDRs, "loopback" and "private", got "10.0.0.0/8"'],
  [{ metrics: { allow: ['loopback', '10.0.0.0/33'] } }, 'BAD_OPTION', `.metrics.allow[1]: expected ${aNetwork}, got "10.0.0.0/33"`],
  [{ metrics: { allow: ['prometheus.internal'] } }, 'BAD_OPTION', `.metrics.allow[0]: expected ${aNetwork}, got "prometheus.internal"`],
  [{ metrics: { registry: 'default' } }, 'BAD_OPTION', `.metrics.registry: expected ${aRegistry}, got "default"`],
  [{ metrics: { registry: null } }, 'BAD_OPTION', `.metrics.registry: expected ${aRegistry}, got null`],
  [{ metrics: { registry: {} } }, 'BAD_OPTION', `.metrics.registry: expected ${aRegistry}, got an object`],
  [{ metrics: { registry: Registry } }, 'BAD_OPTION', `.metrics.registry: expected ${aRegistry}, got a function`],
  [{ metrics: { otel: true } }, 'BAD_OPTION', '.metrics.otel: expected a Meter of @opentelemetry/api, got true'],
  [{ metrics: { otel: { createHistogram () {} } } }, 'BAD_OPTION', '.metrics.otel: expected a Meter of @opentelemetry/api, got an object']
]

for (const [options, code, message] of mistakes) {
  t.test(`refused: ${message.slice(1)}`, async (t) => {
    t.throws(() => check(options), { code: `FST_SLUICE_${code}`, message: `rateLimit${message}` })
  })
}

t.test('what is right is taken', async (t) => {
  for (const metrics of [undefined, false, {}, { path: '/internal/metrics' }, { allow: [] }, { allow: ['private', '203.0.113.0/24', '::1'] }, { registry: register }, { registry: new Registry() }]) {
    t.doesNotThrow(() => check({ metrics }))
  }
})
