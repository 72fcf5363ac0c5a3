// Whatever is counted, by however many registrations and however often it is read in between: every sample is the sum of it.
import { deepEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { Registry } from 'prom-client'
import type { Metrics } from '../../../lib/observability/metrics/metrics.js'
import { createTestMetrics, readSamples, createStanding } from './samples.js'
import { assertPropertyAsync } from '../../fixtures/property.js'

/** Something that is counted, and the samples that it adds to. */
interface Event {
  readonly count: (metrics: Metrics) => void
  readonly adds: ReadonlyArray<readonly [series: string, amount: number]>
}

const routes = fc.constantFrom('/', '/users/:id', '/files/*', null)
const tiers = fc.constantFrom('anonymous', 'standard', 'premium')
const outcomes = fc.constantFrom('allowed', 'delayed', 'rejected', 'blocked', 'exempt', 'unavailable')
const limits = fc.constantFrom('burst', 'hourly')
const modes = fc.constantFrom('enforce', 'shadow')
// Sums of such are exact.
const durations = fc.integer({ min: 0, max: 8192 }).map((count) => count / 1024)

const labelOf = (route: string | null) => route ?? '(unknown)'
const refusal = (route: string | null, limit: string, tier: string, mode: string): [string, number] =>
  [`rate_limit_rejections_total{route="${labelOf(route)}",limit="${limit}",tier="${tier}",mode="${mode}"}`, 1]

function observed (name: string, labels: string, seconds: number): Array<[string, number]> {
  return [[`${name}_sum${labels}`, seconds], [`${name}_count${labels}`, 1]]
}

const events: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ route: routes, tier: tiers, outcome: outcomes }).map(({ route, tier, outcome }): Event => ({
    count: (metrics) => metrics.getRoute(route).count(outcome, tier),
    adds: [[`rate_limit_requests_total{route="${labelOf(route)}",tier="${tier}",outcome="${outcome}"}`, 1]]
  })),
  fc.record({ route: routes, tier: tiers, limit: limits, mode: modes }).map(({ route, tier, limit, mode }): Event => ({
    count: (metrics) => metrics.getRoute(route).countRefusal(limit, tier, mode),
    adds: [refusal(route, limit, tier, mode)]
  })),
  fc.record({ route: routes, tier: tiers, told: fc.array(fc.record({ limit: limits, mode: modes, granted: fc.boolean(), charged: fc.integer({ min: 0, max: 2 }), remaining: fc.integer({ min: 0, max: 40 }) }), { maxLength: 3 }) })
    .map(({ route, tier, told }): Event => ({
      count: (metrics) => metrics.getRoute(route).countLimits(told.map(({ limit, mode, ...rest }) => createStanding({ name: limit, mode }, rest)), tier),
      adds: told.flatMap(({ limit, mode, granted, charged, remaining }) => {
        if (!granted) return [refusal(route, limit, tier, mode)]
        return charged > 0 && remaining < 20 ? [[`rate_limit_near_limit_total{limit="${limit}"}`, 1]] : []
      })
    })),
  fc.record({ store: fc.constantFrom('redis', 'memory'), reason: fc.constantFrom('deadline', 'breaker', 'overload', 'connection', 'error') }).map(({ store, reason }): Event => ({
    count: (metrics) => metrics.getStore(store).countError(reason),
    adds: [[`rate_limit_store_errors_total{store="${store}",reason="${reason}"}`, 1]]
  })),
  fc.record({ operation: fc.constantFrom('take', 'adjust', 'ping'), seconds: durations }).map(({ operation, seconds }): Event => ({
    count: (metrics) => metrics.getStore('redis').observe(operation, seconds),
    adds: observed('rate_limit_store_duration_seconds', `{store="redis",operation="${operation}"}`, seconds)
  })),
  durations.map((seconds): Event => ({
    count: (metrics) => metrics.observeDelay(seconds),
    adds: observed('rate_limit_delay_seconds', '', seconds)
  })),
  fc.constantFrom('local', 'open', 'closed').map((mode): Event => ({
    count: (metrics) => metrics.countFallback(mode, 'redis', 'overload'),
    adds: [[`rate_limit_fallback_total{mode="${mode}"}`, 1], ['rate_limit_store_errors_total{store="redis",reason="overload"}', 1]]
  })),
  fc.constantFrom('success', 'failure').map((result): Event => ({
    count: (metrics) => metrics.countReload(result),
    adds: [[`rate_limit_config_reloads_total{result="${result}"}`, 1]]
  }))
)

type Step = { readonly event: Event, readonly by: number } | 'read' | { readonly reopened: number }

const REGISTRATIONS = 3
const ones = fc.integer({ min: 0, max: REGISTRATIONS - 1 })
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ event: events, by: ones }) },
  { weight: 2, arbitrary: fc.constant('read' as const) },
  { weight: 1, arbitrary: fc.record({ reopened: ones }) }
)

/** Every sample but those of buckets, and of what is there as 0 from the start. */
async function counted (metrics: Metrics): Promise<Record<string, number>> {
  return Object.fromEntries([...await readSamples(metrics)].filter(([series, value]) => !series.includes('_bucket') && value !== 0).sort())
}

t.test('samples are the sums of what was counted', async () => {
  await assertPropertyAsync(fc.array(steps, { maxLength: 200 }), 150, async (sequence) => {
    const registry = new Registry()
    const registrations = await Promise.all(Array.from({ length: REGISTRATIONS }, () => createTestMetrics(registry)))
    const expected = new Map<string, number>()
    const compare = async () => {
      deepEqual(await counted(registrations[0]), Object.fromEntries([...expected].filter(([, value]) => value !== 0).sort()))
    }
    for (const step of sequence) {
      if (step === 'read') {
        await compare()
      } else if ('reopened' in step) {
        registrations[step.reopened].close()
        registrations[step.reopened] = await createTestMetrics(registry)
      } else {
        step.event.count(registrations[step.by])
        for (const [series, amount] of step.event.adds) expected.set(series, (expected.get(series) ?? 0) + amount)
      }
    }
    await compare()
  })
})

t.test('buckets hold what is not above them', async () => {
  await assertPropertyAsync(fc.array(durations, { maxLength: 60 }), 100, async (seconds) => {
    const metrics = await createTestMetrics()
    for (const duration of seconds) metrics.observeDelay(duration)
    const samples = [...await readSamples(metrics)].filter(([series]) => series.startsWith('rate_limit_delay_seconds_bucket'))
    for (const [series, value] of samples) {
      const bound = Number(series.match(/le="(.*)"/)?.[1].replace('+Inf', 'Infinity'))
      deepEqual(value, seconds.filter((duration) => duration <= bound).length, series)
    }
    deepEqual(samples.length, 15)
  })
})
