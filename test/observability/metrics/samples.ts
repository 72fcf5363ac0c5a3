import type { MetricsRegistry } from '../../../lib/config/schema/metrics-schema.js'
import type { MetricSources } from '../../../lib/observability/metrics/gauges.js'
import { createMetrics, type Metrics } from '../../../lib/observability/metrics/metrics.js'
import type { Limit, Standing } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'

/** Metrics in a registry of their own, or in the one that is given. */
export function createTestMetrics (registry?: MetricsRegistry): Promise<Metrics> {
  return createMetrics({ app: {}, registry })
}

/** Every sample that a Prometheus would read, by its series as it is written: `rate_limit_delay_seconds_bucket{le="1"}`. */
export async function readSamples ({ registry }: { readonly registry: MetricsRegistry }): Promise<Map<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

/** The series of one metric. */
export async function readSeries (metrics: { readonly registry: MetricsRegistry }, name: string): Promise<Record<string, number>> {
  const samples = [...await readSamples(metrics)].filter(([series]) => series === name || series.startsWith(`${name}{`))
  return Object.fromEntries(samples.map(([series, value]) => [series.slice(name.length), value]))
}

/** What a limit of capacity 100 said to a request. */
export function createStanding (limit: Partial<Limit>, overrides: Partial<Standing> = {}): Standing {
  return {
    limit: { ...limitOf(), capacity: 100, ...limit },
    partition: '203.0.113.9',
    charged: 1,
    granted: true,
    remaining: 99,
    resetUs: 0,
    delayUs: 0,
    retryUs: 0,
    blockedUs: 0,
    ...overrides
  }
}

/** Sources that say what they are set to. */
export function createSources (
  state: 'closed' | 'open' | 'half-open' | null, size: number, leases: MetricSources['leases'] = null
): MetricSources {
  return { breaker: state === null ? null : { state }, memory: { size }, leases, slots: [] }
}
