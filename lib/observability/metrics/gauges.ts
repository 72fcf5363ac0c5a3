import { Gauge } from 'prom-client'
import type { BreakerState } from '../../resilience/breaker.js'

/** The parts of a registration that the gauges read. */
export interface MetricSources {
  /** `null` if the store needs no breaker. */
  readonly breaker: { readonly state: BreakerState } | null
  /** The buckets in memory. */
  readonly memory: { readonly size: number }
}

const STATES = Object.keys({ closed: true, open: true, 'half-open': true } satisfies Record<BreakerState, true>)

/** The number of breakers in each state. With one registration, its state is 1 and the others are 0. */
export function createBreakerGauge (name: string, sources: ReadonlySet<MetricSources>): Gauge {
  return new Gauge({
    name,
    help: 'Circuit breakers of stores in this state.',
    labelNames: ['state'],
    registers: [],
    collect () {
      this.reset()
      for (const { breaker } of sources) {
        if (breaker === null) continue
        for (const state of STATES) this.inc({ state }, state === breaker.state ? 1 : 0)
      }
    }
  })
}

/** The buckets in memory, of all registrations together. */
export function createMemoryGauge (name: string, sources: ReadonlySet<MetricSources>): Gauge {
  return new Gauge({
    name,
    help: 'Buckets in memory.',
    registers: [],
    collect () {
      this.reset()
      // Without a registration there is no value; 0 would be wrong.
      if (sources.size === 0) this.remove()
      for (const { memory } of sources) this.inc(memory.size)
    }
  })
}
