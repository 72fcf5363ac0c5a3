import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis'
import { connectionOptions, IDLE_TIMEOUT_MS, RETRY_MS } from './client-options.js'
import { ConnectionPool, type PoolEvents } from './connections.js'
import { ClusterCommandTimeout } from './cluster-command-timeout.js'

/** The `redis` option: the address of Redis, or a client. */
export type RedisTarget = string | RedisOptions | ClusterTarget | Redis | Cluster

/** The first nodes of a Cluster, and options for the connections to each node. */
export interface ClusterTarget {
  readonly cluster: ReadonlyArray<{ readonly host: string, readonly port: number } | string>
  readonly redisOptions?: RedisOptions
  readonly clusterOptions?: ClusterOptions
}

/** A URL without its query, and the options of the query. */
export interface UrlTarget {
  readonly url: string
  readonly query: RedisOptions
}

/** Maximum number of redirections of a call between Cluster nodes. Two are usual while a slot moves. */
const MAX_REDIRECTIONS = 8

/** Interval of slot refreshes on a Cluster. */
const SLOTS_REFRESH_MS = 1000

/** Longest delay before a TRYAGAIN retry. A slot is half moved only for a few milliseconds, whatever the deadline is. */
const MAX_TRY_AGAIN_MS = 20

/** Options for a short search for the primary, whatever a sentinel does. */
const sentinelOptions: RedisOptions = {
  // Without it, writes would go to the demoted primary for ten seconds after a planned failover.
  failoverDetector: true,
  sentinelMaxConnections: 3,
  sentinelRetryStrategy: () => RETRY_MS,
  // Without it, a sentinel that accepts the connection but never replies would block the search until it is killed.
  sentinelCommandTimeout: IDLE_TIMEOUT_MS
}

/** Start to connect, without waiting: an application starts even if its Redis is unavailable. */
export function connect (target: RedisTarget | UrlTarget, connections: number, events: PoolEvents, deadlineMs = 0): ConnectionPool {
  // The idle timeout must not close a connection while a call may still be answered.
  const idleTimeoutMs = Math.max(IDLE_TIMEOUT_MS, 2 * deadlineMs)
  if (isClient(target)) return new ConnectionPool([target], false, events, idleTimeoutMs)
  const clients = Array.from({ length: connections }, () => open(target, idleTimeoutMs, deadlineMs))
  const pool = new ConnectionPool(clients, true, events, idleTimeoutMs)
  // Not before it is watched: the cause of a first failure would be lost.
  if (!isLazy(target)) pool.start()
  return pool
}

/** Whether to connect with the first call only. */
function isLazy (target: string | UrlTarget | RedisOptions | ClusterTarget): boolean {
  if (typeof target === 'string') return false
  if ('url' in target) return target.query.lazyConnect === true
  return (isClusterTarget(target) ? target.clusterOptions?.lazyConnect : target.lazyConnect) === true
}

function open (target: string | UrlTarget | RedisOptions | ClusterTarget, idleTimeoutMs: number, deadlineMs: number): Redis | Cluster {
  if (typeof target === 'string') return openUrl({ url: target, query: {} })
  if ('url' in target) return openUrl(target)
  if (isClusterTarget(target)) return openCluster(target, idleTimeoutMs, deadlineMs)
  return new Redis({ ...connectionOptions, ...'sentinels' in target ? sentinelOptions : {}, ...target, lazyConnect: true })
}

function openUrl ({ url, query }: UrlTarget): Redis {
  // ioredis recognizes "rediss" in lower case only: "REDISS://" would connect without TLS and send the password.
  return new Redis(url.replace(/^rediss?:/i, (scheme) => scheme.toLowerCase()), { ...connectionOptions, ...query, lazyConnect: true })
}

function openCluster ({ cluster, redisOptions, clusterOptions }: ClusterTarget, idleTimeoutMs: number, deadlineMs: number): Cluster {
  const client = new Cluster([...cluster], {
    // Used while a node is being connected. Calls are sent only while the Cluster is ready.
    enableOfflineQueue: true,
    clusterRetryStrategy: () => RETRY_MS,
    // Nodes are queried one after the other: a node that hangs must not delay the query of the next one for long.
    slotsRefreshTimeout: 2 * idleTimeoutMs,
    // By default a call whose connection broke is retried up to 16 times, long after its deadline, and charged twice.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    // Redirections between the two nodes of a moving slot: all tries and delays together stay within the deadline.
    maxRedirections: MAX_REDIRECTIONS,
    retryDelayOnTryAgain: Math.min(MAX_TRY_AGAIN_MS, Math.max(1, Math.floor(deadlineMs / MAX_REDIRECTIONS))),
    ...clusterOptions,
    lazyConnect: true,
    // See refreshSlots.
    slotsRefreshInterval: 0,
    redisOptions: { ...connectionOptions, ...redisOptions }
  })
  refreshSlots(client, clusterOptions?.slotsRefreshInterval ?? SLOTS_REFRESH_MS)
  const commandTimeout = new ClusterCommandTimeout(deadlineMs)
  // A Cluster opens its first connections in a later turn.
  client.on('+node', (node: Redis) => { commandTimeout.attach(node) })
  return client
}

/** Duck typing, not `instanceof`: the application may have its own copy of ioredis. */
function isClient (target: RedisTarget | UrlTarget): target is Redis | Cluster {
  return typeof target === 'object' && 'callBuffer' in target && typeof target.callBuffer === 'function'
}

function isClusterTarget (target: RedisOptions | ClusterTarget): target is ClusterTarget {
  return 'cluster' in target
}

/**
 * Refresh the slot table of a Cluster at an interval, while it is ready. Milliseconds; 0 for never.
 * The timer of ioredis restarts if the client is closed during a refresh, and then keeps the process alive forever.
 */
export function refreshSlots (client: Cluster, intervalMs: number): void {
  if (intervalMs === 0) return
  let timer: NodeJS.Timeout | null = null
  client.on('ready', () => {
    timer ??= setInterval(() => { if (client.status === 'ready') client.refreshSlotsCache() }, intervalMs).unref()
  })
  client.on('disconnecting', () => {
    if (timer !== null) clearInterval(timer)
    timer = null
  })
}
