import { isRecord } from '../../common/type-guards.js'

/*
 * The ioredis options that the plugin passes on, and the kind of each value.
 */

/** The kinds of values. Each is the text that completes "expected ..." in a message. */
const PORT = 'a port from 1 to 65535'
const TEXT = 'a string'
const CREDENTIAL = 'a string or a function'
/** Milliseconds too: a timer with a larger number would fire at once. */
const WHOLE_NUMBER = 'a whole number from 0 to 2147483647'
const FAMILY = '0, 4 or 6'
const PROTOCOL = '2 or 3'
const ROLE = '"master" or "slave"'
const FUNCTION = 'a function'
const BOOLEAN = 'true or false'
const TLS = 'true, false or an object of tls.connect options'
const MAPPING = 'an object or a function'
const REPLICAS = 'an object, an array or a function'
const SCALE_READS = '"master", "slave", "all" or a function'
export const NODES = 'an array of at least one { host, port }'
export const CONNECTION = 'an object of ioredis options'
export const CLUSTER = 'an object of ioredis cluster options'

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
    'host', 'path', 'connectionName', 'clientInfoTag', 'name', 'sentinelUsername', 'sentinelPassword'
  ],
  [CREDENTIAL]: ['username', 'password'],
  [PORT]: ['port'],
  [WHOLE_NUMBER]: [
    'db', 'connectTimeout', 'commandTimeout', 'disconnectTimeout', 'socketTimeout', 'keepAlive',
    'maxLoadingRetryTime', 'sentinelCommandTimeout', 'sentinelMaxConnections'
  ],
  [FAMILY]: ['family'],
  [PROTOCOL]: ['protocol'],
  [ROLE]: ['role'],
  [BOOLEAN]: [
    'noDelay', 'enableReadyCheck', 'lazyConnect', 'disableClientInfo', 'showFriendlyErrorStack', 'enableTLSForSentinelMode',
    'updateSentinels', 'failoverDetector'
  ],
  [FUNCTION]: ['retryStrategy', 'reconnectOnError', 'sentinelRetryStrategy', 'sentinelReconnectStrategy', 'Connector'],
  [NODES]: ['sentinels'],
  [TLS]: ['tls', 'sentinelTLS'],
  [MAPPING]: ['natMap'],
  [REPLICAS]: ['preferredSlaves']
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
  [SCALE_READS]: ['scaleReads'],
  [MAPPING]: ['natMap']
})

export const NODE_OPTIONS = buildKinds({
  [TEXT]: ['host', 'username', 'password'], [PORT]: ['port'], [FAMILY]: ['family'], [TLS]: ['tls']
})

/** Whether a value is of a kind. Numbers may be strings, as in the environment. In ioredis, `null` switches a function option off. */
export function isOfKind (kind: string, value: unknown): boolean {
  switch (kind) {
    case TEXT: return typeof value === 'string'
    case CREDENTIAL: return typeof value === 'string' || typeof value === 'function'
    case BOOLEAN: return typeof value === 'boolean'
    case FUNCTION: return typeof value === 'function' || value === null
    case WHOLE_NUMBER: return isNumberWithin(value, 0, 2_147_483_647)
    case PORT: return isNumberWithin(value, 1, 65_535)
    case FAMILY: return isNumberWithin(value, 0, 6) && [0, 4, 6].includes(Number(value))
    case PROTOCOL: return isNumberWithin(value, 2, 3)
    case ROLE: return value === 'master' || value === 'slave'
    case SCALE_READS: return value === 'master' || value === 'slave' || value === 'all' || typeof value === 'function'
    case TLS: return typeof value === 'boolean' || isRecord(value)
    case MAPPING: return typeof value === 'function' || isRecord(value)
    case REPLICAS: return typeof value === 'function' || (typeof value === 'object' && value !== null)
    case NODES: return Array.isArray(value) && value.length > 0
    default: return isRecord(value)
  }
}

/** The kinds of options that the query of a URL may set. */
const QUERY_KINDS = [TEXT, CREDENTIAL, PORT, WHOLE_NUMBER, FAMILY, PROTOCOL, ROLE, BOOLEAN, TLS]

/** The text that completes "expected ..." for an option in the query of a URL; `null` if text cannot express its values. */
export function formatQueryKind (kind: string): string | null {
  if (!QUERY_KINDS.includes(kind)) return null
  if (kind === CREDENTIAL) return TEXT
  return kind === TLS ? BOOLEAN : kind
}

/** Whether the text of a query is a value of a kind. */
export function isTextOfKind (kind: string, text: string): boolean {
  if (kind === BOOLEAN || kind === TLS) return text === 'true' || text === 'false'
  return QUERY_KINDS.includes(kind) && isOfKind(kind, text)
}

/** Convert a valid value to the type that ioredis requires: with a number as text, its timers would throw. */
export function convertToKind (kind: string, value: unknown): unknown {
  switch (kind) {
    case WHOLE_NUMBER: case PORT: case FAMILY: case PROTOCOL: return Number(value)
    case BOOLEAN: return value === true || value === 'true'
    case TLS: return isRecord(value) ? value : convertToKind(BOOLEAN, value) === true ? {} : undefined
    default: return value
  }
}

function isNumberWithin (value: unknown, min: number, max: number): boolean {
  const number = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max
}
