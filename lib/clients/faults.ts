import type { FaultSource } from '../observability/fault-log.js'

/** Where failures of the application's functions are told. */
export interface Faults {
  report (source: FaultSource | 'identify' | 'exempt', error: unknown): void
  /** The same for an error that is made only where it is logged. */
  reportMade (source: FaultSource | 'identify' | 'exempt', make: () => unknown): void
}
