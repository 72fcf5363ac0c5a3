import { Gauge } from 'prom-client'
import type { BreakerState } from '../../resilience/breaker.js'

/** What of a registration is asked when the metrics are read. */
export interface MetricSources {
  /** `null` where the store needs no breaker. */
  readonly breaker: { readonly state: BreakerState } | null
  /** The buckets in memory. */
  readonly memory: { readonly size: number }
}

const STATES = Object.keys({ closed: true, open: true, 'half-open': true } satisfies Record<BreakerState, true>)

/** How many breakers are in each state: with one registration, 1 for the state that it is in. */
export function createBreakerGauge (name: string, sources: ReadonlySet<MetricSources>): Gauge {
  return new Gauge({
    name,
    help: 'Circuit breakers of stores that are in this state now.',
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

/** Buckets in memory, of all registrations together. */
export function createMemoryGauge (name: string, sources: ReadonlySet<MetricSources>): Gauge {
  return new Gauge({
    name,
    help: 'Buckets that are kept in memory now.',
    registers: [],
    collect () {
      this.reset()
      // Where nobody is left to ask, 0 would be an answer.
      if (sources.size === 0) this.remove()
      for (const { memory } of sources) this.inc(memory.size)
    }
  })
}
