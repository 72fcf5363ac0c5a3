import type { RedisTarget } from '../stores/redis/connect.js'
import { FST_SLUICE_UNKNOWN_OPTION } from '../errors.js'
import { badOption } from './check.js'
import { nearest } from './nearest.js'

const EXPECTED = 'a URL such as "redis://127.0.0.1:6379", ioredis options, { sentinels, name }, { cluster: [nodes] }, or a Redis or Cluster client'

/** Options of ioredis for one connection, and of its Sentinel connector. */
const CONNECTION_OPTIONS = [
  'host', 'port', 'path', 'family', 'tls', 'username', 'password', 'db', 'connectionName', 'connectTimeout', 'commandTimeout', 'socketTimeout',
  'keepAlive', 'noDelay', 'enableReadyCheck', 'lazyConnect', 'retryStrategy', 'reconnectOnError', 'protocol', 'maxLoadingRetryTime',
  'disableClientInfo', 'clientInfoTag', 'showFriendlyErrorStack', 'Connector',
  'sentinels', 'name', 'role', 'sentinelUsername', 'sentinelPassword', 'sentinelRetryStrategy', 'sentinelReconnectStrategy', 'sentinelCommandTimeout',
  'sentinelMaxConnections', 'sentinelTLS', 'enableTLSForSentinelMode', 'updateSentinels', 'failoverDetector', 'natMap', 'preferredSlaves'
]
const CLUSTER_OPTIONS = ['cluster', 'redisOptions', 'clusterOptions']

/** Check where Redis is said to be, before anything is connected. Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_UNKNOWN_OPTION. */
export function checkRedisTarget (target: unknown, place: string): asserts target is RedisTarget {
  if (typeof target === 'string') return checkUrl(target, place)
  if (typeof target !== 'object' || target === null || Array.isArray(target)) throw badOption(place, EXPECTED, target)
  if (isClient(target)) return
  if ('cluster' in target) {
    checkKeys(target, CLUSTER_OPTIONS, place)
    checkNodes(target.cluster, `${place}.cluster`)
    if ('redisOptions' in target && typeof target.redisOptions === 'object' && target.redisOptions !== null) {
      checkKeys(target.redisOptions, CONNECTION_OPTIONS, `${place}.redisOptions`)
    }
    return
  }
  checkKeys(target, CONNECTION_OPTIONS, place)
  if ('sentinels' in target) {
    checkNodes(target.sentinels, `${place}.sentinels`)
    if (!('name' in target) || typeof target.name !== 'string' || target.name === '') {
      throw badOption(`${place}.name`, 'the name by which the sentinels know the primary', 'name' in target ? target.name : undefined)
    }
  }
}

/** A client that the application made, of ioredis or of a version of it of its own. */
function isClient (target: object): boolean {
  return 'callBuffer' in target && typeof target.callBuffer === 'function' && 'isCluster' in target
}

function checkUrl (text: string, place: string): void {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !['redis:', 'rediss:'].includes(url.protocol)) {
    // A password must not reach a log through an error.
    throw badOption(place, EXPECTED, text.replace(/\/\/[^@]*@/, '//***@'))
  }
}

function checkNodes (nodes: unknown, place: string): void {
  if (!Array.isArray(nodes) || nodes.length === 0) throw badOption(place, 'an array of at least one { host, port }', nodes)
  nodes.forEach((node: unknown, index) => {
    const isNamed = typeof node === 'string' || (typeof node === 'object' && node !== null && 'host' in node)
    if (!isNamed) throw badOption(`${place}[${index}]`, '{ host, port }', node)
  })
}

function checkKeys (options: object, known: readonly string[], place: string): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    const near = nearest(key, known)
    throw new FST_SLUICE_UNKNOWN_OPTION(`${place}.${key}`, near === null ? '' : `, did you mean "${near}"?`)
  }
}
