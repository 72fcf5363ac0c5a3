import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from './clock.js'

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

/** Where failures of the application's functions are told. */
export type Faults = Pick<FaultLog, 'report' | 'reportMade'>
export type Level = 'debug' | 'info' | 'warn' | 'error'

/** Write a line. A logger that fails is not told of, for there is no log to tell it, but never costs a request. */
export function writeLine (logger: FastifyBaseLogger, level: Level, fields: object, message: string): void {
  try {
    const written: unknown = logger[level](fields, message)
    if (written instanceof Promise) written.catch(() => { })
  } catch { }
}
