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
  readonly slots: Iterable<MeasuredSlots>
}

/** A concurrency limit. */
export interface MeasuredSlots {
  readonly scope: string
  readonly inFlight: number
  /** How many requests may be in flight, if that follows latency; else `null`. */
  readonly adaptiveMax: number | null
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
  return createSlotsGauge(name, 'Requests in flight under a concurrency limit.', sources, { labels, read: ({ inFlight }) => inFlight })
}

/** The number that each concurrency limit with `max: 'adaptive'` has found. */
export function createConcurrencyLimitGauge (name: string, sources: ReadonlySet<MetricSources>, labels: BoundedLabels): ReadableMetric {
  const help = 'Requests that may be in flight under an adaptive concurrency limit.'
  return createSlotsGauge(name, help, sources, { labels, read: ({ adaptiveMax }) => adaptiveMax })
}

interface SlotsReader {
  readonly labels: BoundedLabels
  /** `null`: no value. */
  readonly read: (slots: MeasuredSlots) => number | null
}

function createSlotsGauge (name: string, help: string, sources: ReadonlySet<MetricSources>, { labels, read }: SlotsReader): ReadableMetric {
  return createGauge(name, help, () => {
    const sums = new Map<string, number>()
    for (const { slots } of sources) {
      for (const one of slots) {
        const value = read(one)
        if (value === null) continue
        const policy = labels.get(one.scope)
        sums.set(policy, (sums.get(policy) ?? 0) + value)
      }
    }
    return Array.from(sums, ([policy, value]) => ({ labels: { policy }, value }))
  })
}
