/*
 * The ioredis options that the plugin passes on, and the kind of each value.
 */

/** The kinds of values. Each is the text that completes "expected ..." in a message. */
export const PORT = 'a port from 1 to 65535'
const TEXT = 'a string'
export const WHOLE_NUMBER = 'a whole number of 0 or more'
const FUNCTION = 'a function'
const BOOLEAN = 'true or false'
export const NODES = 'an array of at least one { host, port }'
export const CONNECTION = 'an object of ioredis options'
export const CLUSTER = 'an object of ioredis cluster options'
const ANYTHING = 'anything'

/** The kind of each option, by its name. */
export type RedisOptionKinds = ReadonlyMap<string, string>

/** `names`: the names of options, by their kind. */
function buildKinds (names: Readonly<Record<string, readonly string[]>>): RedisOptionKinds {
  return new Map(Object.entries(names).flatMap(([kind, keys]) => keys.map((key) => [key, kind] as const)))
}

/**
 * Options of ioredis for one connection, and of its Sentinel connector.
 * Options that would send a call twice, or keep it past its deadline, are omitted on purpose.
 */
export const CONNECTION_OPTIONS = buildKinds({
  [TEXT]: [
    'host', 'path', 'username', 'password', 'connectionName', 'clientInfoTag', 'name', 'role', 'sentinelUsername', 'sentinelPassword'
  ],
  [PORT]: ['port'],
  [WHOLE_NUMBER]: [
    'family', 'db', 'connectTimeout', 'commandTimeout', 'disconnectTimeout', 'socketTimeout', 'keepAlive', 'protocol',
    'maxLoadingRetryTime', 'sentinelCommandTimeout', 'sentinelMaxConnections'
  ],
  [BOOLEAN]: [
    'noDelay', 'enableReadyCheck', 'lazyConnect', 'disableClientInfo', 'showFriendlyErrorStack', 'enableTLSForSentinelMode',
    'updateSentinels', 'failoverDetector'
  ],
  [FUNCTION]: ['retryStrategy', 'reconnectOnError', 'sentinelRetryStrategy', 'sentinelReconnectStrategy'],
  [NODES]: ['sentinels'],
  [ANYTHING]: ['tls', 'Connector', 'sentinelTLS', 'natMap', 'preferredSlaves']
})

export const CLUSTER_TARGET = buildKinds({ [NODES]: ['cluster'], [CONNECTION]: ['redisOptions'], [CLUSTER]: ['clusterOptions'] })

/** Options of ioredis for a Cluster, except those that the plugin sets itself. */
export const CLUSTER_OPTIONS = buildKinds({
  [WHOLE_NUMBER]: [
    'maxRedirections', 'retryDelayOnFailover', 'retryDelayOnClusterDown', 'retryDelayOnTryAgain', 'retryDelayOnMoved',
    'slotsRefreshTimeout', 'slotsRefreshInterval'
  ],
  [BOOLEAN]: ['enableReadyCheck', 'lazyConnect', 'useSRVRecords', 'shardedSubscribers'],
  [FUNCTION]: ['clusterRetryStrategy', 'dnsLookup', 'resolveSrv'],
  [ANYTHING]: ['scaleReads', 'natMap']
})

export const NODE_OPTIONS = buildKinds({
  [TEXT]: ['host', 'username', 'password'], [PORT]: ['port'], [WHOLE_NUMBER]: ['family'], [ANYTHING]: ['tls']
})

/** Whether a value is of a kind. Numbers may be strings, as in the environment. In ioredis, `null` switches a function option off. */
export function isOfKind (kind: string, value: unknown): boolean {
  switch (kind) {
    case TEXT: return typeof value === 'string'
    case BOOLEAN: return typeof value === 'boolean'
    case FUNCTION: return typeof value === 'function' || value === null
    case WHOLE_NUMBER: return isWholeNumber(value)
    case PORT: return isWholeNumber(value) && Number(value) >= 1 && Number(value) <= 65_535
    case ANYTHING: return true
    case NODES: return Array.isArray(value) && value.length > 0
    default: return isOptions(value)
  }
}

function isWholeNumber (value: unknown): boolean {
  return typeof value === 'string' ? /^\d{1,15}$/.test(value) : Number.isSafeInteger(value) && Number(value) >= 0
}

/** Whether a value is an object of options. */
export function isOptions (value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
