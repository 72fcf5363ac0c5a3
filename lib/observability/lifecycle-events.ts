import type { FastifyBaseLogger } from 'fastify'
import { publishBreaker, publishReload, type BreakerMessage, type ReloadMessage } from './channels.js'
import { formatFaultCode, warnIfSilent, writeLine } from '../common/log.js'
import type { Health, HealthSource } from './health.js'

/*
 * Changes that an operator must know of, so they are logged even with `log: false`. Each is also published to subscribers.
 */

/** How long the line of the start waits for the first connection, and how often it looks, milliseconds. */
const CONNECT_WAIT_MS = 1000
const CONNECT_CHECK_MS = 20

/**
 * Which limiter answers here: one line when the application is ready. It waits for the first connection of the store, so
 * that `status` is not a false alarm, but not for long. `signal`: aborted when the application closes.
 */
export async function logStart (
  logger: FastifyBaseLogger, { isConnecting }: HealthSource, report: () => Promise<Health>, signal: AbortSignal
): Promise<void> {
  for (let waitedMs = 0; isConnecting?.() === true && waitedMs < CONNECT_WAIT_MS; waitedMs += CONNECT_CHECK_MS) {
    await new Promise((resolve) => { setTimeout(resolve, CONNECT_CHECK_MS).unref() })
  }
  if (signal.aborted) return
  const health = await report()
  if (!signal.aborted) writeLine(logger, 'info', health, 'rate limit: started')
}

/** The breaker of a store changed. A warning in both directions, so that the end of an outage is as visible as its start. */
export function logBreakerChange (logger: FastifyBaseLogger, message: BreakerMessage): void {
  const { registration, store, state, lastError } = message
  writeLine(logger, 'warn', { registration, store, breaker: state, lastError }, `rate limit: the breaker of the store is ${state}`)
  publishBreaker(message)
}

/** The store could not be reached at the start. The failure modes apply until it is. Once per registration. */
export function logUnreachable (logger: FastifyBaseLogger, registration: string, store: string, code: string): void {
  const message = `rate limit: the store cannot be reached (${code}), so the failure mode decides until it can`
  writeLine(logger, 'warn', { registration, store, lastError: code }, message)
  warnIfSilent(logger, 'warn', message, { code: formatFaultCode('store') })
}

/** An endpoint enforces slots like a Cluster, so each partition is now checked by a call of its own. Once per connection. */
export function logSlotsEnforced (logger: FastifyBaseLogger, registration: string, store: string): void {
  const message = 'rate limit: the store enforces slots (CROSSSLOT), so each client is checked by a call of its own'
  writeLine(logger, 'warn', { registration, store }, message)
}

/** An operator switched limits on or off. A warning in both directions, as for the breaker. Subscribers get a reload. */
export function logSwitch (logger: FastifyBaseLogger, registration: string, enabled: boolean): void {
  writeLine(logger, 'warn', { registration, enabled }, `rate limit: an operator switched the limits ${enabled ? 'on' : 'off'}`)
  publishReload({ registration, source: 'operator', result: 'success' })
}

/** A new configuration was applied, or rejected. */
export function logReload (logger: FastifyBaseLogger, message: ReloadMessage): void {
  const { registration, source } = message
  switch (message.result) {
    case 'success':
      writeLine(logger, 'info', { registration, source }, 'rate limit: configuration reloaded')
      break
    case 'failure':
      writeLine(logger, 'error', { err: message.error, registration, source },
        'rate limit: the new configuration is refused, the old one stays')
      break
    default: message satisfies never
  }
  publishReload(message)
}
