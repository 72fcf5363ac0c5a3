import type { Clock } from '../common/clock.js'
import type { BreakerState } from '../resilience/breaker.js'

/** URLs of the routes that the plugin serves; `null` for a route that is not mounted. */
export interface MountedRoutes {
  readonly metrics: string | null
  readonly health: string | null
  /** The prefix of the operator routes. */
  readonly admin: string | null
}

/** Which limiter answers, and the health of its store. */
export interface Health extends StoreHealth {
  /** The name of the registration. */
  readonly registration: string
  /** Whether the limits are switched on. */
  readonly enabled: boolean
  /** The limits that are known, such as `default: 100 per 1 minute`, at most 20. */
  readonly limits: readonly string[]
  readonly mounted: MountedRoutes
}

/** The health of a store. */
export interface StoreHealth {
  /**
   * `degraded`: the store does not respond, or the breaker is open; the failure modes apply. Once a probe is due, the
   * breaker no longer counts. Otherwise an instance without requests would stay degraded for ever.
   */
  readonly status: 'ok' | 'degraded'
  readonly store: string
  /** Where Redis is, such as `10.0.0.1:6379/2`, without user and password. `null` for other stores. */
  readonly location: string | null
  /** How long the store took to respond to a ping, milliseconds. `null` if it did not within the deadline. */
  readonly pingMs: number | null
  /** `null` for the memory store, which cannot fail. */
  readonly breaker: BreakerState | null
  /** How long the breaker has been in this state, milliseconds. */
  readonly sinceMs: number | null
  /** The last failure's code, such as `OOM`, `DEADLINE` or `CONNECTION`. */
  readonly lastError: string | null
}

/** What a health report reads. */
export interface HealthSource {
  readonly kind: string
  readonly location: string | null
  /** Whether the first connection is being opened, so that a ping fails. */
  readonly isConnecting?: () => boolean
  readonly clock: Clock
  ping (): void | Promise<void>
  readonly deadlineMs: number
  readonly breaker: { readonly state: BreakerState, readonly isAdmitting: boolean, readonly sinceMs: number } | null
  lastError (): string | null
  /** The code of a ping that failed, from its error, or that took too long, from `null`. */
  readonly explainPing?: (error: unknown) => string
}

/** Pings the store, for no longer than its deadline: a report must also be possible while the store hangs. */
export async function checkHealth (source: HealthSource): Promise<StoreHealth> {
  const { pingMs, code } = await measurePing(source)
  const { breaker } = source
  const isOk = pingMs !== null && (breaker === null || breaker.isAdmitting)
  return {
    status: isOk ? 'ok' : 'degraded',
    store: source.kind,
    location: source.location,
    pingMs,
    breaker: breaker?.state ?? null,
    sinceMs: breaker?.sinceMs ?? null,
    lastError: code ?? source.lastError()
  }
}

/** The result of a ping: how long it took, or why it failed. */
interface Ping {
  readonly pingMs: number | null
  readonly code: string | null
}

async function measurePing (source: HealthSource): Promise<Ping> {
  const { clock } = source
  const startedUs = clock.nowUs()
  let timer: NodeJS.Timeout | undefined
  // setImmediate: replies that have already arrived are read first, so a blocked event loop does not count as a slow store.
  const timeout = new Promise<boolean>((resolve) => { timer = setTimeout(() => setImmediate(resolve, false), source.deadlineMs).unref() })
  try {
    const hasReplied = await Promise.race([Promise.resolve(source.ping()).then(() => true), timeout])
    return hasReplied ? { pingMs: (clock.nowUs() - startedUs) / 1000, code: null } : failedPing(source, null)
  } catch (error) {
    return failedPing(source, error)
  } finally {
    clearTimeout(timer)
  }
}

function failedPing ({ explainPing }: HealthSource, error: unknown): Ping {
  return { pingMs: null, code: explainPing?.(error) ?? null }
}
