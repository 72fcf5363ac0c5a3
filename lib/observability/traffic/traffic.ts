import type { Clock } from '../../common/clock.js'
import type { Standing } from '../../stores/store.js'
import type { ClientLabeler } from '../refusal-log/client-label.js'
import type { RecordedDecision, RouteConfig } from './recorded-decision.js'
import type { TrafficSummary } from './traffic-summary.js'
import type { WhatIf } from './traffic-views.js'

export interface TrafficOptions {
  /** The system's time, microseconds since 1970. It may be set back. */
  readonly clock: Clock
  readonly labelClient: ClientLabeler
}

/** Counts what the operator page shows of the last hour, in bounded memory. */
export class Traffic {
  readonly #clock: Clock

  constructor ({ clock }: TrafficOptions) {
    this.#clock = clock
  }

  /** Count a decision. `standings`: as the store returned them. */
  record (_config: RouteConfig, _decision: RecordedDecision, _standings: readonly Standing[]): void {
  }

  /** What was counted in the last hour. */
  summarize (): TrafficSummary {
    const step = Math.floor(this.#clock.nowUs() / 10_000_000)
    return { version: 1, step, series: [], limits: [], sampled: 1, clients: [], unlisted: [0, 0] }
  }

  /** Replay the requests to a limit with another `max`, 0 or more. `null` if it is not known, or cannot be replayed. */
  whatIf (_bucket: string, _max: number): WhatIf | null {
    return null
  }

  /** Stop the timer. */
  close (): void {
  }
}
