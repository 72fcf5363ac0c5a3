import fc from 'fast-check'
import t from 'tap'
import { mergeTraffic } from '../../../lib/observability/traffic/merge-traffic.js'
import { formatSummary, parseSummary, type InstanceSummary } from '../../../lib/routes/page/instance-summary.js'
import { assertProperty } from '../../fixtures/property.js'

const NOW_MS = 1_800_000_000_000

const summary: InstanceSummary = {
  instance: {
    id: 'web-1:1:ffff',
    host: 'web-1',
    pid: 1,
    version: '1.2.3',
    startedAtMs: NOW_MS - 1000,
    seenAtMs: NOW_MS,
    enabled: true,
    configured: true,
    store: { kind: 'redis', isReachable: true, breaker: 'half-open', latencyMs: { p50: 0.4, p99: 2 }, errors: 3, fallbacks: 4 },
    reload: { atMs: NOW_MS, isApplied: false, error: 'rate-limit.toml:1:1: max: expected a number' }
  },
  traffic: {
    version: 1,
    step: NOW_MS / 10_000,
    series: [['/', 'standard', 'CAEC', 'B', ''], ['other', 'other', 'A', '', '']],
    limits: [['["app","default","default"]', 'enforce', 100, 60_000, null, 1, 3, 4, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]], ['["app","default",null,"concurrency"]', 'shadow', 4, 'concurrency', 2, 0, 0, 0, []]],
    sampled: 16,
    clients: [['ip:203.0.113.9', 0, 16, 4, 1, NOW_MS / 10_000]],
    unlisted: [3, 1]
  }
}

t.test('a summary is read as it was written', async (t) => {
  t.strictSame(parseSummary(formatSummary(summary), summary.instance.id), summary)
})

/** The paths of all values in a JSON document. */
function listPaths (value: unknown, path: readonly string[] = []): Array<readonly string[]> {
  const inner = typeof value === 'object' && value !== null ? Object.entries(value).flatMap(([key, one]) => listPaths(one, [...path, key])) : []
  return [path, ...inner]
}

function replaceAt (value: unknown, [key, ...rest]: readonly string[], replacement: unknown): unknown {
  if (key === undefined) return replacement
  if (Array.isArray(value)) return value.map((one, index) => String(index) === key ? replaceAt(one, rest, replacement) : one)
  return Object.fromEntries(Object.entries(Object(value)).map(([name, one]) => [name, name === key ? replaceAt(one, rest, replacement) : one]))
}

t.test('a summary with any changes is refused, or can be added up', async (t) => {
  const document: unknown = JSON.parse(formatSummary(summary))
  const paths = listPaths(document)
  const anyValue = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom('__proto__', -0, 1e308, -1, 0.5, '_'.repeat(2000), '["a",'), fc.nat())
  const changes = fc.array(fc.tuple(fc.constantFrom(...paths), anyValue), { minLength: 1, maxLength: 3 })
  let readable = 0
  assertProperty(changes, 1600, (all) => {
    const changed = all.reduce((value, [path, replacement]) => replaceAt(value, path, replacement), document)
    const parsed = parseSummary(JSON.stringify(changed), summary.instance.id)
    if (parsed === null) return
    readable++
    const { outcomes: { series }, limits, clients } = mergeTraffic([parsed, summary, parsed].map(({ traffic }) => traffic), NOW_MS)
    const counts = series.flatMap(({ allowed, refused, other }) => [...allowed, ...refused, ...other])
    if (counts.length !== series.length * 3 * 360 || !counts.every((count) => Number.isFinite(count) && count >= 0)) throw new Error('a count that is no count')
    if (series.length > 21 || limits.length > 100 || clients.top.length > 100) throw new Error('too many')
  })
  t.ok(readable > 10, `${readable} could be read`)
})
