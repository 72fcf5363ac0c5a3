import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from '../common/clock.js'
import type { FaultLog } from '../common/log.js'
import { requireDurationMs } from '../config/schema/check.js'
import type { ResolvedOptions } from '../config/schema/resolve-options.js'
import { FST_SLUICE_STORE } from '../errors.js'
import { logBreakerChange, logSlotsEnforced, logUnreachable } from '../observability/lifecycle-events.js'
import type { Metrics } from '../observability/metrics/metrics.js'
import type { StoreActivity } from '../observability/store-activity.js'
import type { StoreOperation } from '../observability/metrics/store-metrics.js'
import { CallGuard } from '../resilience/call-guard.js'
import type { FailureReason } from '../stores/store.js'

/** Receivers of the events of the stores, and how long the refusals of a remote store are cached. */
export interface BackendHooks {
  readonly log: FastifyBaseLogger
  readonly faults: FaultLog
  readonly metrics: Metrics | null
  /** `null` without the operator page. */
  readonly activity: StoreActivity | null
  /** Microseconds; 0 caches none. The default is that of the cache. */
  readonly maxDenialUs?: number
}

/** Supervision of a store that can fail, and its last failure. */
export interface StoreGuard {
  readonly registration: string
  readonly callGuard: CallGuard
  readonly deadlineMs: number
  readonly onAnswer: (operation: StoreOperation, tookUs: number) => void
  readonly onFailure: (reason: FailureReason, code: string, cause?: unknown) => void
  readonly onSlotsEnforced: () => void
  readonly onUnreachable: (code: string) => void
  readonly lastError: () => string | null
  readonly setLastError: (code: string) => void
  readonly maxDenialUs: number | undefined
}

export function createStoreGuard (
  kind: string, registration: string, options: ResolvedOptions, clock: Clock, { log, faults, metrics, activity, maxDenialUs }: BackendHooks
): StoreGuard {
  const deadlineMs = options.deadline
  const storeMetrics = metrics?.getStore(kind)
  let lastError: string | null = null
  return {
    registration,
    callGuard: new CallGuard(deadlineMs, breakerOptions(options), clock, (state) => {
      logBreakerChange(log, { registration, store: kind, state, lastError })
    }, options.clock),
    deadlineMs,
    onAnswer (operation, tookUs) {
      storeMetrics?.observe(operation, tookUs / 1_000_000)
      activity?.observe(tookUs)
    },
    onFailure (reason, code, cause) {
      lastError = code
      storeMetrics?.countError(reason)
      if (activity !== null) activity.errors++
      // A code may be followed by what to do.
      const [word] = code.split(':', 1)
      storeMetrics?.countCode(word)
      faults.reportLazy('store', () => new FST_SLUICE_STORE(reason, code, { cause }), word)
    },
    onSlotsEnforced: () => { logSlotsEnforced(log, registration, kind) },
    onUnreachable: (code) => { logUnreachable(log, registration, kind, code) },
    lastError: () => lastError,
    setLastError: (code) => { lastError = code },
    maxDenialUs
  }
}

/** Retry-After of a 503, whole seconds. */
export function retryUnavailableSeconds (options: ResolvedOptions): number {
  return Math.ceil(breakerOptions(options).openForMs / 1000)
}

function breakerOptions ({ breaker: { failures, within, openFor } }: ResolvedOptions) {
  return {
    failures,
    withinMs: requireDurationMs(within, 'rateLimit.breaker.within'),
    openForMs: requireDurationMs(openFor, 'rateLimit.breaker.openFor')
  }
}
