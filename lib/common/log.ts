import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from './clock.js'

/** What of the application's own can fail while a request is limited. */
export type FaultSource = 'address' | 'identify' | 'exempt' | 'keyGenerator' | 'cost' | 'limit' | 'errorResponseBuilder' | 'onExceeding' | 'onExceeded' | 'onBlocked' | 'config' | 'store'

const INTERVAL_US = 60_000_000

interface Suppression {
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
  readonly #suppressions = new Map<Source, Suppression>()

  constructor (logger: FastifyBaseLogger, clock: Clock) {
    this.#logger = logger
    this.#clock = clock
  }

  report (source: Source, error: unknown): void {
    this.reportLazy(source, () => error)
  }

  /** The same for an error that is made only where it is logged: its stack costs more than a request. */
  reportLazy (source: Source, createError: () => unknown): void {
    const nowUs = this.#clock.nowUs()
    const suppression = this.#suppressions.get(source)
    if (suppression !== undefined && nowUs < suppression.untilUs) {
      suppression.suppressed++
      return
    }
    this.#suppressions.set(source, { untilUs: nowUs + INTERVAL_US, suppressed: 0 })
    writeLine(this.#logger, 'error', { err: createError(), source, suppressed: suppression?.suppressed ?? 0 }, `rate limit: ${source} failed`)
  }
}

/** Where failures of the application's functions are told. */
export type FaultReporter = Pick<FaultLog, 'report' | 'reportLazy'>
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Write a line. A logger that fails is not told of, for there is no log to tell it, but never costs a request. */
export function writeLine (logger: FastifyBaseLogger, level: LogLevel, fields: object, message: string): void {
  try {
    const written: unknown = logger[level](fields, message)
    if (written instanceof Promise) written.catch(() => { })
  } catch { }
}
