import { Cluster, Redis, type ClusterOptions, type DNSLookupFunction, type RedisOptions } from 'ioredis'
import type { Clock } from '../../common/clock.js'
import { connectionOptions, connectTimeoutMs, IDLE_TIMEOUT_MS } from './client-options.js'
import { ConnectionPool, type PoolEvents } from './connections.js'
import { ClusterCommandTimeout } from './cluster-command-timeout.js'
import { createRetryStrategy } from './retry-delay.js'
import type { Authenticator } from './authenticator.js'
import type { CredentialOptions } from './credentials.js'

/** A client of the application. */
export type RedisClient = Redis | Cluster

/** The `redis` option: the address of Redis, or a client. */
export type RedisTarget = string | RedisConnectionOptions | ClusterTarget | AnyRedisClient

/** A client of ioredis, for one server or a Cluster. A type of its own, so that other versions and copies of ioredis fit. */
export interface AnyRedisClient {
  readonly status: string
  callBuffer (command: string): Promise<unknown>
  disconnect (): void
}

/** Options of ioredis for one connection. User and password may be functions. */
export type RedisConnectionOptions = Omit<RedisOptions, keyof CredentialOptions> & CredentialOptions

/** The first nodes of a Cluster, and options for the connections to each node. */
export interface ClusterTarget {
  readonly cluster: ReadonlyArray<{ readonly host: string, readonly port: number } | string>
  readonly redisOptions?: RedisConnectionOptions
  readonly clusterOptions?: ClusterOptions
}

/** A URL without its query, and the options of the query. */
export interface UrlTarget {
  readonly url: string
  readonly query: RedisOptions
}

/** A target without functions for credentials. */
export type ConnectTarget = string | UrlTarget | RedisOptions | (ClusterTarget & { readonly redisOptions?: RedisOptions }) | RedisClient

/** Maximum number of redirections of a call between Cluster nodes. Two are usual while a slot moves. */
const MAX_REDIRECTIONS = 8

/** Interval of slot refreshes on a Cluster. */
const SLOTS_REFRESH_MS = 1000

/** Shortest time of a query for the slots after connecting. */
const MIN_QUERY_MS = 100

/** Longest delay before a TRYAGAIN retry. A slot is half moved only for a few milliseconds, whatever the deadline is. */
const MAX_TRY_AGAIN_MS = 20

export interface ConnectOptions {
  /** Number of connections, 1 or more. */
  readonly connections: number
  /** How long a call may take, milliseconds; 0 for no limit. */
  readonly deadlineMs: number
  readonly clock: Clock
  /** Authenticates the connections. Without one, the target has its credentials itself. */
  readonly authenticator?: Authenticator
}

/**
 * Start to connect, without waiting: an application starts even if its Redis is unavailable. The connections of the
 * application are neither authenticated nor changed.
 */
export function connect (target: ConnectTarget, options: ConnectOptions, events: PoolEvents): ConnectionPool {
  const idleTimeoutMs = findIdleTimeoutMs(options)
  if (isClient(target)) return new ConnectionPool([target], false, events, idleTimeoutMs)
  const clients = Array.from({ length: options.connections }, () => open(target, options))
  for (const client of clients) {
    if (!('nodes' in client)) options.authenticator?.attach(client)
    else client.on('+node', (node: Redis) => { options.authenticator?.attach(node) })
  }
  const pool = new ConnectionPool(clients, true, events, idleTimeoutMs)
  // Not before it is watched: the cause of a first failure would be lost.
  if (!isLazy(target)) pool.start()
  return pool
}

/** The idle timeout must not close a connection while a call may still be answered. */
function findIdleTimeoutMs ({ deadlineMs }: ConnectOptions): number {
  return Math.max(IDLE_TIMEOUT_MS, 2 * deadlineMs)
}

/** Whether to connect with the first call only. */
function isLazy (target: Exclude<ConnectTarget, RedisClient>): boolean {
  if (typeof target === 'string') return false
  if ('url' in target) return target.query.lazyConnect === true
  return (isClusterTarget(target) ? target.clusterOptions?.lazyConnect : target.lazyConnect) === true
}

function open (target: Exclude<ConnectTarget, RedisClient>, options: ConnectOptions): RedisClient {
  const defaults = { ...connectionOptions, connectTimeout: connectTimeoutMs(options.deadlineMs) }
  if (typeof target === 'object' && isClusterTarget(target)) return openCluster(target, defaults, options)
  const ownDefaults = { ...defaults, retryStrategy: createRetryStrategy(options.clock) }
  if (typeof target === 'string') return openUrl({ url: target, query: {} }, ownDefaults)
  if ('url' in target) return openUrl(target, ownDefaults)
  const sentinelDefaults = 'sentinels' in target ? createSentinelOptions(options) : {}
  return new Redis({ ...ownDefaults, ...sentinelDefaults, ...definedOptions(target), lazyConnect: true })
}

function openUrl ({ url, query }: UrlTarget, defaults: RedisOptions): Redis {
  // ioredis recognizes "rediss" in lower case only: "REDISS://" would connect without TLS and send the password.
  return new Redis(url.replace(/^rediss:/i, 'rediss:'), { ...defaults, ...query, lazyConnect: true })
}

/** Options without those that are undefined, for which ioredis would take its own defaults instead of ours. */
function definedOptions<T extends object> (options: T | undefined): Partial<T> {
  return Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined)) as Partial<T>
}

/** Options for a short search for the primary, whatever a sentinel does. */
function createSentinelOptions (options: ConnectOptions): RedisOptions {
  return {
    // Without it, writes would go to the demoted primary for ten seconds after a planned failover.
    failoverDetector: true,
    sentinelMaxConnections: 3,
    sentinelRetryStrategy: createRetryStrategy(options.clock),
    // Without it, a sentinel that accepts the connection but never replies would block the search until it is killed.
    sentinelCommandTimeout: findIdleTimeoutMs(options)
  }
}

function openCluster (target: Extract<ConnectTarget, ClusterTarget>, defaults: RedisOptions, options: ConnectOptions): Cluster {
  const { cluster, redisOptions, clusterOptions } = target
  const { deadlineMs, clock } = options
  const nodeOptions = { ...defaults, tls: findNodeTls(cluster), ...definedOptions(redisOptions) }
  const client = new Cluster([...cluster], {
    // Used while a node is being connected. Calls are sent only while the Cluster is ready.
    enableOfflineQueue: true,
    clusterRetryStrategy: createRetryStrategy(clock),
    // By default ioredis connects to the address of a host. The names of a certificate are those of hosts.
    ...nodeOptions.tls === undefined ? {} : { dnsLookup: keepHostName },
    // Nodes are queried one after the other: a node that hangs must not delay the query of the next one for long. It includes
    // a connection: one that fails by its own timeout must report its own cause.
    slotsRefreshTimeout: Math.max(2 * findIdleTimeoutMs(options), (nodeOptions.connectTimeout ?? 0) + MIN_QUERY_MS),
    // By default a call whose connection broke is retried up to 16 times, long after its deadline, and charged twice.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    // Redirections between the two nodes of a moving slot: all tries and delays together stay within the deadline.
    maxRedirections: MAX_REDIRECTIONS,
    retryDelayOnTryAgain: Math.min(MAX_TRY_AGAIN_MS, Math.max(1, Math.floor(deadlineMs / MAX_REDIRECTIONS))),
    ...definedOptions(clusterOptions),
    lazyConnect: true,
    // See refreshSlots.
    slotsRefreshInterval: 0,
    // Each node authenticates before it connects.
    redisOptions: { ...nodeOptions, lazyConnect: true }
  })
  refreshSlots(client, clusterOptions?.slotsRefreshInterval ?? SLOTS_REFRESH_MS)
  const commandTimeout = new ClusterCommandTimeout(deadlineMs)
  // A Cluster opens its first connections in a later turn.
  client.on('+node', (node: Redis) => { commandTimeout.attach(node) })
  return client
}

/** TLS of the first nodes holds for all nodes. ioredis would connect to the others without it, and send the password. */
function findNodeTls (nodes: ClusterTarget['cluster']): RedisOptions['tls'] {
  for (const node of nodes) {
    if (typeof node === 'string' ? /^rediss:/i.test(node) : 'tls' in node && node.tls !== undefined) {
      return typeof node === 'object' && 'tls' in node ? node.tls as RedisOptions['tls'] : {}
    }
  }
  return undefined
}

const keepHostName: DNSLookupFunction = (host, callback) => { callback(null, host) }

/** Duck typing, not `instanceof`: the application may have its own copy of ioredis. */
function isClient (target: ConnectTarget): target is RedisClient {
  return typeof target === 'object' && 'callBuffer' in target && typeof target.callBuffer === 'function'
}

function isClusterTarget<T extends object> (target: T): target is Extract<T, ClusterTarget> {
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
