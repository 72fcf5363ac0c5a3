import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis'
import { RedisLink } from './link.js'

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

/** A socket that answers nothing for so long is dropped: without it a client stays with a stopped primary for good. */
const SILENCE_MS = 300

/**
 * What our connections need so that no call outlives its deadline or is made twice: ioredis would send an unanswered
 * call again after a reconnect (and charge twice), and keep calls for a server that is not there (and charge late).
 */
const connectionOptions: RedisOptions = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  connectTimeout: 1000,
  socketTimeout: SILENCE_MS,
  retryStrategy: () => RETRY_MS
}

/** What a search for the primary needs in order to end soon, whatever a sentinel does. */
const sentinelOptions: RedisOptions = {
  // A planned failover would otherwise leave us writing to the demoted primary for ten seconds.
  failoverDetector: true,
  sentinelMaxConnections: 3,
  sentinelRetryStrategy: () => RETRY_MS,
  // A sentinel that accepts the connection and says nothing would be waited for until it is killed.
  sentinelCommandTimeout: SILENCE_MS
}

/** Connect, without waiting for it: an application starts whether or not its Redis is there. */
export function connect (target: RedisTarget, connections: number, onReady: () => void): RedisLink {
  if (isClient(target)) return new RedisLink([target], false, onReady)
  return new RedisLink(Array.from({ length: connections }, () => open(target)), true, onReady)
}

function open (target: string | RedisOptions | ClusterTarget): Redis | Cluster {
  if (typeof target === 'string') return new Redis(target, connectionOptions)
  if (isClusterTarget(target)) return openCluster(target)
  return new Redis({ ...connectionOptions, ...'sentinels' in target ? sentinelOptions : {}, ...target })
}

function openCluster ({ cluster, redisOptions, clusterOptions }: ClusterTarget): Cluster {
  return new Cluster([...cluster], {
    enableOfflineQueue: false,
    clusterRetryStrategy: () => RETRY_MS,
    slotsRefreshInterval: 1000,
    ...clusterOptions,
    redisOptions: { ...connectionOptions, ...redisOptions }
  })
}

function isClient (target: RedisTarget): target is Redis | Cluster {
  return target instanceof Redis || target instanceof Cluster
}

function isClusterTarget (target: RedisOptions | ClusterTarget): target is ClusterTarget {
  return 'cluster' in target
}
