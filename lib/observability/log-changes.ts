import type { FastifyBaseLogger } from 'fastify'
import { publishBreaker, publishReload, type BreakerMessage, type ReloadMessage } from './channels.js'
import { writeLine } from './log-line.js'

/*
 * Changes that an operator must hear of, whatever the option `log` says: each is logged and told to subscribers.
 */

/** Mistakes of one reload that have a line of their own; a file of a thousand rules may have as many. */
const MOST_TOLD = 20

/** The breaker of a store changed. A warning in both directions: who hears of an outage must hear of its end. */
export function tellBreakerChange (logger: FastifyBaseLogger, message: BreakerMessage): void {
  const { registration, store, state, lastError } = message
  writeLine(logger, 'warn', { registration, store, breaker: state, lastError }, `rate limit: the breaker of the store is ${state}`)
  publishBreaker(message)
}

/** A new configuration is in force, or was refused. */
export function tellReload (logger: FastifyBaseLogger, message: ReloadMessage): void {
  const { registration, source, result } = message
  switch (result) {
    case 'success':
      writeLine(logger, 'info', { registration, source, reload: result }, 'rate limit: the new configuration is in force')
      break
    case 'failure': {
      const { errors } = message
      for (const err of errors.slice(0, MOST_TOLD)) {
        writeLine(logger, 'error', { err, registration, source, reload: result, mistakes: errors.length }, 'rate limit: the new configuration is refused, the old one stays in force')
      }
      break
    }
    default: result satisfies never
  }
  publishReload(message)
}
