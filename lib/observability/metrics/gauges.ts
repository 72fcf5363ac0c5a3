import type { BreakerState } from '../../resilience/breaker.js'
import type { LeaseCounters } from '../../stores/lease/lease-counters.js'
import type { BoundedLabels } from './label-cache.js'
import type { ReadableMetric } from './otel.js'

/** The parts of a registration that the gauges read. */
export interface MetricSources {
  /** `null` if the store needs no breaker. */
  readonly breaker: { readonly state: BreakerState } | null
  /** The buckets in memory. */
  readonly memory: { readonly size: number }
  /** `null` if the store grants no leases. */
  readonly leases: LeaseCounters | null
  /** The concurrency limits, each with its scope. */
  readonly slots: Iterable<{ readonly scope: string, readonly inFlight: number }>
}

interface GaugeValue {
  readonly labels: Record<string, string>
  readonly value: number
}

const STATES = Object.keys({ closed: true, open: true, 'half-open': true } satisfies Record<BreakerState, true>)

/** A gauge for a registry. Its values are computed when it is read. */
function createGauge (name: string, help: string, getValues: () => GaugeValue[]): ReadableMetric {
  const described = { name, help, type: 'gauge', aggregator: 'sum' }
  return { ...described, get: async () => ({ ...described, values: getValues() }), reset () {} }
}

/** The number of breakers in each state. With one registration, its state is 1 and the others are 0. */
export function createBreakerGauge (name: string, sources: ReadonlySet<MetricSources>): ReadableMetric {
  return createGauge(name, 'Circuit breakers of stores in this state.', () => {
    const current = [...sources].flatMap(({ breaker }) => breaker === null ? [] : [breaker.state])
    return current.length === 0 ? [] : STATES.map((state) => ({ labels: { state }, value: current.filter((one) => one === state).length }))
  })
}

/** The buckets in memory, of all registrations together. */
export function createMemoryGauge (name: string, sources: ReadonlySet<MetricSources>): ReadableMetric {
  return createGauge(name, 'Buckets in memory.', () => {
    // Without a registration there is no value; 0 would be wrong.
    return sources.size === 0 ? [] : [{ labels: {}, value: [...sources].reduce((sum, { memory }) => sum + memory.size, 0) }]
  })
}

/** The requests in flight under each concurrency limit, of all registrations together. `labels`: bound the scopes. */
export function createInFlightGauge (name: string, sources: ReadonlySet<MetricSources>, labels: BoundedLabels): ReadableMetric {
  return createGauge(name, 'Requests in flight under a concurrency limit.', () => {
    const counts = new Map<string, number>()
    for (const { slots } of sources) {
      for (const { scope, inFlight } of slots) {
        const policy = labels.get(scope)
        counts.set(policy, (counts.get(policy) ?? 0) + inFlight)
      }
    }
    return Array.from(counts, ([policy, value]) => ({ labels: { policy }, value }))
  })
}
