import type { RedisOptions } from 'ioredis'
import { retryDelayMs } from './retry-delay.js'

/** A connection without a reply for this long is replaced, unless calls may take longer. */
export const IDLE_TIMEOUT_MS = 300

/** As above for a client of the application. The timer of ioredis counts a blocked event loop too, so it is longer. */
const SOCKET_TIMEOUT_MS = 500

/**
 * Options of our connections, so that no call outlives its deadline or is sent twice. By default, ioredis sends an
 * unanswered call again after a reconnect, which charges twice. It also queues calls for an absent server, which charges
 * late.
 */
export const connectionOptions = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  // With the delay after it less than the second within which limits must hold again.
  connectTimeout: 700,
  // A server that hangs does not close its side. The process would stay alive for this time.
  disconnectTimeout: 50,
  // ioredis would wait for as long as a server that loads its data estimates, up to 10 s.
  maxLoadingRetryTime: 100,
  // The default of ioredis, up to 5 s, would prolong every outage by that time.
  retryStrategy: (attempt: number) => retryDelayMs(attempt)
} satisfies RedisOptions

/**
 * How long connecting may take, milliseconds. With TLS it takes up to three round trips, and the deadline must be longer
 * than one.
 */
export function connectTimeoutMs (deadlineMs: number): number {
  return Math.max(connectionOptions.connectTimeout, 3 * deadlineMs)
}

/** The options that `limiterClientOptions` returns, of any version of ioredis, or of iovalkey. */
export interface LimiterClientOptions extends Readonly<typeof connectionOptions> {
  readonly socketTimeout: number
  readonly reconnectOnError: (error: Error) => boolean
}

/**
 * Options for a client of the application that is used for limits only. It fails as fast as a client of the plugin: a call
 * is neither queued nor sent twice, and a connection is replaced that is silent or whose server has become a replica.
 *
 * `deadline`: the option of the plugin, whole milliseconds, 1 to 5000. A reply may be pending for twice as long, and for
 * 500 ms at least.
 */
export function limiterClientOptions (options: { readonly deadline?: number } = {}): LimiterClientOptions {
  const { deadline } = options
  return {
    ...connectionOptions,
    connectTimeout: connectTimeoutMs(deadline ?? 0),
    socketTimeout: deadline === undefined ? SOCKET_TIMEOUT_MS : Math.max(SOCKET_TIMEOUT_MS, 2 * deadline),
    reconnectOnError: (error) => error.message.startsWith('READONLY')
  }
}
