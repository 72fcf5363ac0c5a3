import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from './clock.js'
import { toPrintable } from './printable.js'

/** Parts of the application that can fail while a request is limited. */
export type FaultSource =
  | 'address' | 'identify' | 'exempt' | 'keyGenerator' | 'cost' | 'limit' | 'errorResponseBuilder'
  | 'onExceeding' | 'onExceeded' | 'onBlocked' | 'config' | 'store' | 'memory' | 'record'

const INTERVAL_US = 60_000_000
const MAX_MESSAGE_LENGTH = 256

/** Maximum number of kinds that are logged separately. */
const MAX_KINDS = 50

interface Suppression {
  untilUs: number
  suppressed: number
}

/**
 * Logs failures of the application's callbacks and of the store, at most once a minute for each source and kind. So a hostile
 * client that provokes failures cannot fill a disk. Without a logger, the first failure of each source and kind is a process
 * warning. Never throws, even if the logger throws.
 */
export class FaultLog<Source extends string = FaultSource> {
  readonly #logger: FastifyBaseLogger
  readonly #clock: Clock
  readonly #suppressions = new Map<string, Suppression>()
  readonly #warned = new Set<string>()

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
    const error = createError()
    const fields = { err: error, source, suppressed: suppression?.suppressed ?? 0 }
    writeLine(this.#logger, 'error', fields, `rate limit: ${source} failed`)
    if (this.#warned.has(key)) return
    const message = `rate limit: ${source} failed: ${describeError(error)}. Enable the logger to see later failures`
    const detail = error instanceof Error ? error.stack : undefined
    if (warnIfSilent(this.#logger, 'error', message, { code: formatFaultCode(source), detail })) this.#warned.add(key)
  }
}

/** Receives failures of the application's callbacks. */
export type FaultReporter = Pick<FaultLog, 'report' | 'reportLazy'>

/** Reports nothing: for functions that are called before what they read may exist. */
export const NO_FAULTS: FaultReporter = { report () {}, reportLazy () {} }

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** The code of the process warning of a fault, such as `FST_SLUICE_WARN_FAILED_KEY_GENERATOR`. */
export function formatFaultCode (source: string): string {
  return `FST_SLUICE_WARN_FAILED_${source.replace(/[A-Z]/g, '_$&').toUpperCase()}`
}

interface WarningDetails {
  readonly code: string
  readonly detail?: string | undefined
}

/** Emit a process warning in place of a line that the logger ignores. Returns whether it does. */
export function warnIfSilent (logger: FastifyBaseLogger, level: LogLevel, message: string, { code, detail }: WarningDetails): boolean {
  if (!isSilent(logger, level)) return false
  process.emitWarning(message, { code, detail })
  return true
}

/** Whether a logger ignores a level: without the option `logger`, and above the level, its methods are one empty function. */
function isSilent (logger: FastifyBaseLogger, level: LogLevel): boolean {
  return logger[level] === logger.trace && logger[level].length === 0
}

function describeError (error: unknown): string {
  return error instanceof Error ? toPrintable(String(error.message), MAX_MESSAGE_LENGTH) : typeof error
}

/** Write a log line. Failures of the logger are ignored: there is no other log, and a request must not fail for them. */
export function writeLine (logger: FastifyBaseLogger, level: LogLevel, fields: object, message: string): void {
  try {
    const written: unknown = logger[level](fields, message)
    if (written instanceof Promise) written.catch(() => { })
  } catch { }
}
