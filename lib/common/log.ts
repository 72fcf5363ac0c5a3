import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from './clock.js'

/** Parts of the application that can fail while a request is limited. */
export type FaultSource =
  | 'address' | 'identify' | 'exempt' | 'keyGenerator' | 'cost' | 'limit' | 'errorResponseBuilder'
  | 'onExceeding' | 'onExceeded' | 'onBlocked' | 'config' | 'store' | 'memory'

const INTERVAL_US = 60_000_000
/** Maximum number of kinds that are logged separately. */
const MAX_KINDS = 50

interface Suppression {
  untilUs: number
  suppressed: number
}

/**
 * Logs failures of the application's callbacks and of the store, at most once a minute for each source and kind. So a hostile
 * client that provokes failures cannot fill a disk. Never throws, even if the logger throws.
 */
export class FaultLog<Source extends string = FaultSource> {
  readonly #logger: FastifyBaseLogger
  readonly #clock: Clock
  readonly #suppressions = new Map<string, Suppression>()

  constructor (logger: FastifyBaseLogger, clock: Clock) {
    this.#logger = logger
    this.#clock = clock
  }

  report (source: Source, error: unknown): void {
    this.reportLazy(source, () => error)
  }

  /**
   * Like `report`, but creates the error only if it is logged: its stack costs more than a request.
   * `kind`: what failed at the source, such as an error code. A new kind is logged at once.
   */
  reportLazy (source: Source, createError: () => unknown, kind = ''): void {
    const nowUs = this.#clock.nowUs()
    const key = this.#suppressions.size < MAX_KINDS || this.#suppressions.has(source + kind) ? source + kind : source
    const suppression = this.#suppressions.get(key)
    if (suppression !== undefined && nowUs < suppression.untilUs) {
      suppression.suppressed++
      return
    }
    this.#suppressions.set(key, { untilUs: nowUs + INTERVAL_US, suppressed: 0 })
    const fields = { err: createError(), source, suppressed: suppression?.suppressed ?? 0 }
    writeLine(this.#logger, 'error', fields, `rate limit: ${source} failed`)
  }
}

/** Receives failures of the application's callbacks. */
export type FaultReporter = Pick<FaultLog, 'report' | 'reportLazy'>

/** Reports nothing: for functions that are called before what they read may exist. */
export const NO_FAULTS: FaultReporter = { report () {}, reportLazy () {} }

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Write a log line. Failures of the logger are ignored: there is no other log, and a request must not fail for them. */
export function writeLine (logger: FastifyBaseLogger, level: LogLevel, fields: object, message: string): void {
  try {
    const written: unknown = logger[level](fields, message)
    if (written instanceof Promise) written.catch(() => { })
  } catch { }
}
