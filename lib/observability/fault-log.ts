import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from '../clock.js'
import { writeLine } from './log-line.js'

/** What of the application's own can fail while a request is limited. */
export type FaultSource = 'address' | 'identify' | 'exempt' | 'keyGenerator' | 'cost' | 'limit' | 'errorResponseBuilder' | 'onExceeding' | 'onExceeded' | 'onBlocked' | 'config' | 'store'

const INTERVAL_US = 60_000_000

interface Quiet {
  untilUs: number
  suppressed: number
}

/**
 * Logs faults of the application's callbacks and of the store, each source once a minute at most: a hostile client that
 * provokes one must not be able to fill a disk. Throws nothing, whatever the logger does.
 */
export class FaultLog<Source extends string = FaultSource> {
  readonly #logger: FastifyBaseLogger
  readonly #clock: Clock
  readonly #quiet = new Map<Source, Quiet>()

  constructor (logger: FastifyBaseLogger, clock: Clock) {
    this.#logger = logger
    this.#clock = clock
  }

  report (source: Source, error: unknown): void {
    this.reportMade(source, () => error)
  }

  /** The same for an error that is made only where it is logged: its stack costs more than a request. */
  reportMade (source: Source, make: () => unknown): void {
    const nowUs = this.#clock.nowUs()
    const quiet = this.#quiet.get(source)
    if (quiet !== undefined && nowUs < quiet.untilUs) {
      quiet.suppressed++
      return
    }
    this.#quiet.set(source, { untilUs: nowUs + INTERVAL_US, suppressed: 0 })
    writeLine(this.#logger, 'error', { err: make(), source, suppressed: quiet?.suppressed ?? 0 }, `rate limit: ${source} failed`)
  }
}
