import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis'
import { ConnectionPool } from './connections.js'
import { ClusterCommandTimeout } from './cluster-command-timeout.js'

/** Where Redis is, as the `redis` option says it. */
export type RedisTarget = string | RedisOptions | ClusterTarget | Redis | Cluster

/** The nodes of a Cluster to begin with, and options for the connections to each. */
export interface ClusterTarget {
  readonly cluster: ReadonlyArray<{ readonly host: string, readonly port: number } | string>
  readonly redisOptions?: RedisOptions
  readonly clusterOptions?: ClusterOptions
}

/** A connection is tried again after so long: the default, up to 5 s, would prolong every outage by that. */
const RETRY_MS = 100

/** A connection that answers nothing for so long is made anew, unless calls may take longer. */
const IDLE_TIMEOUT_MS = 300

/** A call is sent from node to node of a Cluster so often at most. Two are usual while a slot moves. */
const MAX_REDIRECTIONS = 8

/** The nodes of a Cluster are asked so often which slots are theirs. */
const SLOTS_REFRESH_MS = 1000

/** A slot that is half moved is whole again within a few milliseconds; no deadline is reason to wait longer at a time. */
const MAX_TRY_AGAIN_MS = 20

/**
 * What our connections need so that no call outlives its deadline or is made twice: ioredis would send an unanswered
 * call again after a reconnect (and charge twice), and keep calls for a server that is not there (and charge late).
 */
const connectionOptions: RedisOptions = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  // With the time until the next try, less than the second after which limits hold again.
  connectTimeout: 700,
  // A server that hangs does not close its side either; the process would live on for that long.
  disconnectTimeout: 50,
  retryStrategy: () => RETRY_MS
}

/** What a search for the primary needs in order to end soon, whatever a sentinel does. */
const sentinelOptions: RedisOptions = {
  // A planned failover would otherwise leave us writing to the demoted primary for ten seconds.
  failoverDetector: true,
  sentinelMaxConnections: 3,
  sentinelRetryStrategy: () => RETRY_MS,
  // A sentinel that accepts the connection and says nothing would be waited for until it is killed.
  sentinelCommandTimeout: IDLE_TIMEOUT_MS
}

/** Connect, without waiting for it: an application starts whether or not its Redis is there. */
export function connect (target: RedisTarget, connections: number, onReady: () => void, deadlineMs = 0): ConnectionPool {
  // A call that is still waited for must not cost its connection.
  const idleTimeoutMs = Math.max(IDLE_TIMEOUT_MS, 2 * deadlineMs)
  if (isClient(target)) return new ConnectionPool([target], false, onReady, idleTimeoutMs)
  return new ConnectionPool(Array.from({ length: connections }, () => open(target, idleTimeoutMs, deadlineMs)), true, onReady, idleTimeoutMs)
}

function open (target: string | RedisOptions | ClusterTarget, idleTimeoutMs: number, deadlineMs: number): Redis | Cluster {
  // ioredis knows "rediss" in lower case only: "REDISS://" would be connected to without TLS, password and all.
  if (typeof target === 'string') return new Redis(target.replace(/^rediss?:/i, (scheme) => scheme.toLowerCase()), connectionOptions)
  if (isClusterTarget(target)) return openCluster(target, idleTimeoutMs, deadlineMs)
  return new Redis({ ...connectionOptions, ...'sentinels' in target ? sentinelOptions : {}, ...target })
}

function openCluster ({ cluster, redisOptions, clusterOptions }: ClusterTarget, idleTimeoutMs: number, deadlineMs: number): Cluster {
  const client = new Cluster([...cluster], {
    // For the moment in which a node is being connected; calls are sent only while the Cluster is ready.
    enableOfflineQueue: true,
    clusterRetryStrategy: () => RETRY_MS,
    // Asked of one node after the other: one that hangs must not keep us from the rest for long.
    slotsRefreshTimeout: 2 * idleTimeoutMs,
    // By default a call whose connection broke is made again, up to 16 times, long after its deadline, and charged twice.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    // Between the two nodes of a slot that is being moved: tries and delays together stay within the deadline.
    maxRedirections: MAX_REDIRECTIONS,
    retryDelayOnTryAgain: Math.min(MAX_TRY_AGAIN_MS, Math.max(1, Math.floor(deadlineMs / MAX_REDIRECTIONS))),
    ...clusterOptions,
    // See refreshSlots.
    slotsRefreshInterval: 0,
    redisOptions: { ...connectionOptions, ...redisOptions }
  })
  refreshSlots(client, clusterOptions?.slotsRefreshInterval ?? SLOTS_REFRESH_MS)
  const commandTimeout = new ClusterCommandTimeout(deadlineMs)
  // A Cluster makes its first connections in a later turn.
  client.on('+node', (node: Redis) => { commandTimeout.attach(node) })
  return client
}

/** Told by what it can do: the application may have a copy of ioredis of its own. */
function isClient (target: RedisTarget): target is Redis | Cluster {
  return typeof target === 'object' && 'callBuffer' in target && typeof target.callBuffer === 'function'
}

function isClusterTarget (target: RedisOptions | ClusterTarget): target is ClusterTarget {
  return 'cluster' in target
}

/**
 * Ask the nodes of a Cluster every so often which slots are theirs, while it is ready. Milliseconds; 0 for never.
 * ioredis's own timer starts anew when the client was closed in the midst of asking, and keeps the process for good.
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
