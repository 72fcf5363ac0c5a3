import type { RedisTarget } from '../stores/redis/connect.js'
import { FST_SLUICE_UNKNOWN_OPTION } from '../errors.js'
import { badOption } from './check.js'
import { nearest } from './nearest.js'

const EXPECTED = 'a URL such as "redis://127.0.0.1:6379", ioredis options, { sentinels, name }, { cluster: [nodes] }, or a Redis or Cluster client'

const PORT = 'a port from 1 to 65535'
const TEXT = 'a string'
const WHOLE = 'a whole number of 0 or more'
const FUNCTION = 'a function'
const SWITCH = 'true or false'
const NODES = 'an array of at least one { host, port }'

const ANYTHING = 'anything'

/** The names of options, by what each must be. */
type Names = Readonly<Record<string, readonly string[]>>
/** What each option must be, by its name. */
type Options = ReadonlyMap<string, string>

function optionsOf (names: Names): Options {
  return new Map(Object.entries(names).flatMap(([expected, keys]) => keys.map((key) => [key, expected] as const)))
}

/**
 * Options of ioredis for one connection, and of its Sentinel connector.
 * Those that would send a call twice, or keep it past its deadline, are missing on purpose.
 */
const CONNECTION_OPTIONS = optionsOf({
  [TEXT]: ['host', 'path', 'username', 'password', 'connectionName', 'clientInfoTag', 'name', 'role', 'sentinelUsername', 'sentinelPassword'],
  [PORT]: ['port'],
  [WHOLE]: [
    'family', 'db', 'connectTimeout', 'commandTimeout', 'disconnectTimeout', 'socketTimeout', 'keepAlive', 'protocol', 'maxLoadingRetryTime',
    'sentinelCommandTimeout', 'sentinelMaxConnections'
  ],
  [SWITCH]: [
    'noDelay', 'enableReadyCheck', 'lazyConnect', 'disableClientInfo', 'showFriendlyErrorStack', 'enableTLSForSentinelMode', 'updateSentinels',
    'failoverDetector'
  ],
  [FUNCTION]: ['retryStrategy', 'reconnectOnError', 'sentinelRetryStrategy', 'sentinelReconnectStrategy'],
  [NODES]: ['sentinels'],
  [ANYTHING]: ['tls', 'Connector', 'sentinelTLS', 'natMap', 'preferredSlaves']
})
const CLUSTER_TARGET = optionsOf({
  [NODES]: ['cluster'],
  'an object of ioredis options': ['redisOptions'],
  'an object of ioredis cluster options': ['clusterOptions']
})
/** Options of ioredis for a Cluster, but those that we set ourselves. */
const CLUSTER_OPTIONS = optionsOf({
  [WHOLE]: [
    'maxRedirections', 'retryDelayOnFailover', 'retryDelayOnClusterDown', 'retryDelayOnTryAgain', 'retryDelayOnMoved', 'slotsRefreshTimeout',
    'slotsRefreshInterval'
  ],
  [SWITCH]: ['enableReadyCheck', 'lazyConnect', 'useSRVRecords', 'shardedSubscribers'],
  [FUNCTION]: ['clusterRetryStrategy', 'dnsLookup', 'resolveSrv'],
  [ANYTHING]: ['scaleReads', 'natMap']
})
const NODE_OPTIONS = optionsOf({ [TEXT]: ['host', 'username', 'password'], [PORT]: ['port'], [WHOLE]: ['family'], [ANYTHING]: ['tls'] })

/** Check where Redis is said to be, before anything is connected. Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_UNKNOWN_OPTION. */
export function checkRedisTarget (target: unknown, place: string): asserts target is RedisTarget {
  if (typeof target === 'string') return checkUrl(target, place)
  if (typeof target !== 'object' || target === null || Array.isArray(target)) throw badOption(place, EXPECTED, target)
  if (isClient(target)) return
  if ('cluster' in target) {
    checkFields(target, CLUSTER_TARGET, place)
    checkNodes(target.cluster, `${place}.cluster`)
    if ('redisOptions' in target) checkFields(target.redisOptions, CONNECTION_OPTIONS, `${place}.redisOptions`)
    if ('clusterOptions' in target) checkFields(target.clusterOptions, CLUSTER_OPTIONS, `${place}.clusterOptions`)
    return
  }
  checkFields(target, CONNECTION_OPTIONS, place)
  if ('sentinels' in target) {
    checkNodes(target.sentinels, `${place}.sentinels`)
    if (!('name' in target) || target.name === '' || target.name === undefined) {
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
  const isOurs = url !== null && ['redis:', 'rediss:'].includes(url.protocol) && /^rediss?:\/\//i.test(text)
  if (!isOurs || !isDecodable(url.username + url.password)) throw badOption(place, EXPECTED, withoutSecrets(text))
  const db = url.pathname.slice(1)
  if (!/^\d*$/.test(db)) throw badOption(place, 'the number of a database after the host', db)
  // ioredis takes these for options, and they would win over ours.
  for (const key of url.searchParams.keys()) checkKey(key, CONNECTION_OPTIONS, place)
}

/** The text as an error may show it: a password can be anywhere before the last "@", and in the query. */
function withoutSecrets (text: string): string {
  return text.replace(/^.*@/s, '***@').replace(/\?.*$/s, '?***')
}

function isDecodable (text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function checkNodes (nodes: unknown, place: string): void {
  if (!Array.isArray(nodes) || nodes.length === 0) throw badOption(place, NODES, nodes)
  nodes.forEach((node: unknown, index) => {
    const at = `${place}[${index}]`
    if (typeof node === 'string' && node !== '') return
    if (typeof node !== 'object' || node === null || !('host' in node)) throw badOption(at, '{ host, port }', node)
    checkFields(node, NODE_OPTIONS, at)
  })
}

function checkFields (options: unknown, known: Options, place: string): void {
  if (typeof options !== 'object' || options === null) throw badOption(place, 'an object', options)
  for (const [key, value] of Object.entries(options)) {
    checkKey(key, known, place)
    const expected = known.get(key) ?? ANYTHING
    if (value === undefined || isOfKind(expected, value)) continue
    // A password of a wrong type is one all the same.
    throw badOption(`${place}.${key}`, expected, /password/i.test(key) ? '***' : value)
  }
}

function checkKey (key: string, known: Options, place: string): void {
  if (known.has(key)) return
  const near = nearest(key, [...known.keys()])
  throw new FST_SLUICE_UNKNOWN_OPTION(`${place}.${key}`, near === null ? '' : `, did you mean "${near}"?`)
}

/** Numbers may be text, as they come from the environment. `null` is ioredis's word for an option that is off. */
function isOfKind (expected: string, value: unknown): boolean {
  switch (expected) {
    case TEXT: return typeof value === 'string'
    case SWITCH: return typeof value === 'boolean'
    case FUNCTION: return typeof value === 'function' || value === null
    case WHOLE: return isWhole(value)
    case PORT: return isWhole(value) && Number(value) >= 1 && Number(value) <= 65_535
    case ANYTHING: return true
    case NODES: return Array.isArray(value)
    default: return typeof value === 'object' && value !== null
  }
}

function isWhole (value: unknown): boolean {
  return typeof value === 'string' ? /^\d{1,15}$/.test(value) : Number.isSafeInteger(value) && Number(value) >= 0
}
